import type { NodeId } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { EpochRow } from './probe-answer.ts';

/**
 * `armed`: every acknowledged commit is on the disk of `member`, the one synchronous standby; only
 * then may it be promoted without asking. `solo`: what is acknowledged survives on the primary only.
 */
export type Durability =
  | { readonly kind: 'armed'; readonly member: NodeId }
  | { readonly kind: 'solo' };

/** Who is about to become primary, of which epoch. */
export type Intent = { readonly candidate: NodeId } & EpochRow;

/**
 * `open`: `primary` serves. `claimed`: an operator's switchover makes the primary unable to
 * acknowledge; nothing was promoted yet. `promoting`: `candidate` may have been promoted: from here
 * it owns the intent's epoch, and a restarted supervisor goes on with it.
 */
export type ShardPhase =
  | { readonly kind: 'open' }
  | { readonly kind: 'claimed'; readonly intent: Intent }
  | { readonly kind: 'promoting'; readonly intent: Intent };

/** The durable truth about a shard. Every step of a failover is written here before it is taken. */
export type ShardRecord = {
  readonly shard: ShardId;
  /** Of the last time the shard was open; grows with every change of the primary. */
  readonly epoch: number;
  readonly uuid: string;
  readonly systemId: string;
  readonly timeline: number;
  /** The last open primary. */
  readonly primary: NodeId;
  readonly durability: Durability;
  readonly phase: ShardPhase;
};
