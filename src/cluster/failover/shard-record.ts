import type { NodeId } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { EpochRow } from './probe-answer.ts';

/**
 * `armed`: every acknowledged commit is on the disks of at least `quorum` of `members`; only then may
 * one of them be promoted without asking. Whoever hears R of the N members with R + quorum > N hears
 * one that has everything. `solo`: what is acknowledged survives on the primary only. `async`: the
 * operator has chosen that commits wait for nobody.
 */
export type Durability =
  | { readonly kind: 'armed'; readonly members: readonly NodeId[]; readonly quorum: number }
  | { readonly kind: 'solo' }
  | { readonly kind: 'async' };

/** Who is about to become primary, of which epoch. */
export type Intent = { readonly candidate: NodeId } & EpochRow;

/**
 * `open`: `primary` serves. `claimed`: an operator's switchover makes the primary unable to
 * acknowledge; nothing was promoted yet. `revoking`: the primary is dead, and its standbys stop
 * receiving, so that the one that has most can be chosen. `promoting`: `candidate` may have been
 * promoted: from here it owns the intent's epoch, and a restarted supervisor goes on with it.
 */
export type ShardPhase =
  | { readonly kind: 'open' }
  | { readonly kind: 'claimed'; readonly intent: Intent }
  | { readonly kind: 'revoking'; readonly intent: EpochRow }
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
  /** While `promoting`: of the last open primary. */
  readonly durability: Durability;
  readonly phase: ShardPhase;
  /** An operator's PAUSE: nobody is promoted without being told to. */
  readonly paused: boolean;
  /** Where the timeline of `primary` began, as PostgreSQL writes positions; null: not by us. */
  readonly switchLsn: string | null;
};
