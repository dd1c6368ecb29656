import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
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

/** Reads a record back from JSON; 58030 when it is not one. `source` names it in the error. */
export function parseShardRecord(text: string, source: string): ShardRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(source, cause);
  }
  if (!isShardRecord(value)) throw damaged(source, undefined);
  return value;
}

function damaged(source: string, cause: unknown): PgError {
  return new PgError(SqlState.ioError, `cluster record ${source} is damaged`, {
    hint: 'restore it from a backup, or remove it while all nodes of the shard are up',
    cause,
  });
}

function isShardRecord(value: unknown): value is ShardRecord {
  if (!isObject(value)) return false;
  return (
    isText(value['shard']) &&
    isEpoch(value) &&
    isText(value['systemId']) &&
    Number.isInteger(value['timeline']) &&
    isText(value['primary']) &&
    isDurability(value['durability']) &&
    isPhase(value['phase'])
  );
}

function isDurability(value: unknown): boolean {
  if (!isObject(value)) return false;
  return value['kind'] === 'solo' || (value['kind'] === 'armed' && isText(value['member']));
}

function isPhase(value: unknown): boolean {
  if (!isObject(value)) return false;
  if (value['kind'] === 'open') return true;
  if (value['kind'] !== 'claimed' && value['kind'] !== 'promoting') return false;
  const intent = value['intent'];
  return isObject(intent) && isText(intent['candidate']) && isEpoch(intent);
}

function isEpoch(value: Record<string, unknown>): boolean {
  return Number.isSafeInteger(value['epoch']) && isText(value['uuid']);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
