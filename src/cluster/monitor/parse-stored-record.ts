import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { StoredRecord } from '../failover/record-store.ts';
import type { ShardRecord } from '../failover/shard-record.ts';

/** Reads a record back from JSON; 58030 when it is not one. `source` names it in the error. */
export function parseStoredRecord(text: string, source: string): StoredRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(source, cause);
  }
  if (!isObject(value)) throw damaged(source, undefined);
  const { revision, record } = value;
  if (typeof revision !== 'number' || !isShardRecord(record)) throw damaged(source, undefined);
  return { revision, record };
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
    isPhase(value['phase']) &&
    typeof value['paused'] === 'boolean' &&
    (value['switchLsn'] === null || isText(value['switchLsn']))
  );
}

function isDurability(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { kind, members, quorum } = value;
  if (kind !== 'armed') return kind === 'solo' || kind === 'async';
  if (!Array.isArray(members) || !members.every(isText)) return false;
  return Number.isSafeInteger(quorum) && Number(quorum) >= 1 && Number(quorum) <= members.length;
}

function isPhase(value: unknown): boolean {
  if (!isObject(value)) return false;
  if (value['kind'] === 'open') return true;
  const { kind, intent } = value;
  if (!isObject(intent) || !isEpoch(intent)) return false;
  if (kind === 'revoking') return true;
  return (kind === 'claimed' || kind === 'promoting') && isText(intent['candidate']);
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
