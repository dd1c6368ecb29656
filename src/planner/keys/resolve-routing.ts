import { unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { Distribution } from '../../sharding/distribution.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ShardMap } from '../../sharding/shard-map.ts';
import type { KeyCondition, KeyValue, Routing } from '../plan.ts';
import { readKey } from './read-key.ts';
import { shardsOfCondition } from './shards-of-condition.ts';
import type { StatementValues } from './statement-values.ts';

export type ResolvedRouting =
  | { readonly kind: 'single'; readonly shard: ShardId }
  /** More than one, in map order, without repetition. */
  | { readonly kind: 'many'; readonly shards: readonly ShardId[] }
  /** No row can match: any one shard gives the right answer. */
  | { readonly kind: 'none' }
  /** Reference tables only: any one shard. */
  | { readonly kind: 'any' }
  | { readonly kind: 'error'; readonly error: PgError };

const none: ResolvedRouting = { kind: 'none' };
const any: ResolvedRouting = { kind: 'any' };

/**
 * The shards that a statement concerns with these values. A superset where a value cannot be read
 * with certainty, except for keys that are stored: those are an error then.
 */
export function resolveRouting(
  routing: Routing,
  values: StatementValues,
  shardMap: ShardMap,
): ResolvedRouting {
  switch (routing.kind) {
    case 'home':
      return { kind: 'single', shard: shardMap.home };
    case 'any':
      return any;
    case 'by-key':
      return resolveKeys(routing, values, shardMap);
    default:
      return unreachable(routing);
  }
}

function resolveKeys(
  routing: Extract<Routing, { kind: 'by-key' }>,
  values: StatementValues,
  shardMap: ShardMap,
): ResolvedRouting {
  const [first] = routing.groups;
  if (first !== undefined && routing.groups.length === 1 && !routing.withHome) {
    const distribution = distributionOf(shardMap, first.distribution);
    if (distribution === null) return mapChanged();
    const quick = resolveEqual(first.condition, distribution, values);
    if (quick !== null) return quick;
  }
  const shards = new Set<ShardId>();
  if (routing.withHome) shards.add(shardMap.home);
  for (const group of routing.groups) {
    const distribution = distributionOf(shardMap, group.distribution);
    if (distribution === null) return mapChanged();
    const found =
      group.condition.kind === 'assign'
        ? shardsOfStored(group.condition.values, distribution, values)
        : shardsOfCondition(group.condition, distribution, values);
    if (found instanceof PgError) return { kind: 'error', error: found };
    for (const shard of found) shards.add(shard);
  }
  return fromSet(shards, shardMap);
}

/** The point lookup: nothing is allocated but the key. null when it is not one. */
function resolveEqual(
  condition: KeyCondition,
  distribution: Distribution,
  values: StatementValues,
): ResolvedRouting | null {
  if (condition.kind !== 'equal') return null;
  const reading = readKey(condition.value, distribution.keyType, 'compare', values);
  if (reading.kind !== 'key') return null;
  const shard = distribution.shardOf(reading.key);
  return shard === null ? none : { kind: 'single', shard };
}

/** The owners of keys that the statement stores; every row needs one. */
function shardsOfStored(
  stored: readonly KeyValue[],
  distribution: Distribution,
  values: StatementValues,
): ReadonlySet<ShardId> | PgError {
  const shards = new Set<ShardId>();
  for (const value of stored) {
    const reading = readKey(value, distribution.keyType, 'assign', values);
    switch (reading.kind) {
      case 'key': {
        const shard = distribution.shardOf(reading.key);
        if (shard === null) return unowned(distribution);
        shards.add(shard);
        break;
      }
      case 'null':
        return new PgError(
          SqlState.notNullViolation,
          'the key of a distributed table must not be null',
          { hint: 'The key says which shard the row belongs to.' },
        );
      case 'unknown':
      case 'invalid':
        return reading.error;
      case 'no-match':
        return unowned(distribution);
      default:
        return unreachable(reading);
    }
  }
  return shards;
}

function unowned(distribution: Distribution): PgError {
  const message = `no shard owns this key of distribution "${distribution.name}"`;
  return new PgError(SqlState.checkViolation, message, {
    hint: 'Give the key to a shard in the shard map.',
  });
}

function fromSet(shards: ReadonlySet<ShardId>, shardMap: ShardMap): ResolvedRouting {
  if (shards.size === 0) return none;
  const inOrder = shardMap.shards.filter((shard) => shards.has(shard));
  const [only] = inOrder;
  if (inOrder.length === 1 && only !== undefined) return { kind: 'single', shard: only };
  return { kind: 'many', shards: inOrder };
}

function distributionOf(shardMap: ShardMap, name: string): Distribution | null {
  return shardMap.distributions.get(name) ?? null;
}

/** A cached plan outlived its map for a moment. */
function mapChanged(): ResolvedRouting {
  const error = new PgError(SqlState.serializationFailure, 'the shard map has just changed', {
    hint: 'Try again.',
  });
  return { kind: 'error', error };
}
