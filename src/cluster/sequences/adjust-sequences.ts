import { assert } from '../../base/assert.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ShardMap } from '../../sharding/shard-map.ts';
import { type Interleaving, interleave, type SequenceSettings } from './interleaving.ts';
import {
  quotedName,
  readPositions,
  readSequences,
  type SequenceSession,
} from './read-sequences.ts';
import type { ColumnSequence } from './sequence-state.ts';

/** A sequence as the shards have it, in map order. */
export type ShardedSequence = {
  /** `schema.name`. */
  readonly name: string;
  readonly shards: readonly ShardId[];
  readonly interleaving: Interleaving;
};

/** By shard, what columns of its tables use. */
type Sequences = ReadonlyMap<ShardId, readonly ColumnSequence[]>;

/** Of all sequences that columns of distributed tables use on some shard. */
export function shardedSequences(
  sequences: Sequences,
  shardMap: ShardMap,
): readonly ShardedSequence[] {
  const sharded = new Set<string>();
  for (const each of [...sequences.values()].flat()) {
    const isSharded = each.tables.some((name) => shardMap.tables.get(name)?.kind === 'distributed');
    if (isSharded) sharded.add(fullName(each));
  }
  return [...sharded].sort().map((name) => {
    const found = shardMap.shards.flatMap((shard) => {
      const sequence = sequences.get(shard)?.find((each) => fullName(each) === name);
      return sequence === undefined ? [] : [{ shard, state: sequence.state }];
    });
    const interleaving = interleave(found.map(({ state }) => state));
    return { name, shards: found.map(({ shard }) => shard), interleaving };
  });
}

/**
 * Makes the sequences of distributed tables give different values on all shards (interleaving.ts),
 * where they do not. `sessions`: one for each shard of the map, each in a READ COMMITTED transaction
 * that the caller commits, on all shards or none. Nobody gets a value of a sequence that is adjusted before
 * that: nextval() waits. Resolves with the names of what was adjusted; an `unfit` sequence is left
 * as it is. Rejects with a server's error, also with 55P03 when lock_timeout is set.
 */
export async function adjustSequences(
  sessions: ReadonlyMap<ShardId, SequenceSession>,
  shardMap: ShardMap,
): Promise<readonly string[]> {
  const read = await Promise.all(
    [...sessions].map(async ([shard, session]) => [shard, await readSequences(session)] as const),
  );
  const before = new Map(read);
  const names = new Set(
    shardedSequences(before, shardMap).flatMap(({ name, interleaving }) =>
      interleaving.kind === 'adjust' ? [name] : [],
    ),
  );
  if (names.size === 0) return [];
  // In map order, so that of two proxies one waits for the other at the first shard.
  for (const shard of shardMap.shards) {
    const found = before.get(shard)?.filter((each) => names.has(fullName(each))) ?? [];
    for (const sequence of found) await lock(sessionOf(sessions, shard), sequence);
  }
  const locked = new Map<ShardId, readonly ColumnSequence[]>();
  for (const [shard, session] of sessions) {
    const found = (await readSequences(session)).filter((each) => names.has(fullName(each)));
    locked.set(shard, found.length === 0 ? [] : await readPositions(session, found));
  }
  const adjusted: string[] = [];
  for (const { name, shards, interleaving } of shardedSequences(locked, shardMap)) {
    if (interleaving.kind !== 'adjust') continue;
    for (const [index, shard] of shards.entries()) {
      const sequence = locked.get(shard)?.find((each) => fullName(each) === name);
      const settings = interleaving.settings[index];
      assert(sequence !== undefined && settings !== undefined, 'settings for each shard');
      await sessionOf(sessions, shard).query(alterSql(sequence, settings));
    }
    adjusted.push(name);
  }
  return adjusted;
}

/** LOCK takes no sequences; ALTER SEQUENCE, even when it changes nothing, keeps nextval() out. */
async function lock(session: SequenceSession, sequence: ColumnSequence): Promise<void> {
  await session.query(`ALTER SEQUENCE ${quotedName(sequence)} AS ${sequence.state.type}`);
}

function alterSql(sequence: ColumnSequence, { increment, start, restart }: SequenceSettings) {
  const settings = `INCREMENT BY ${increment} START WITH ${start} RESTART WITH ${restart}`;
  return `ALTER SEQUENCE ${quotedName(sequence)} ${settings}`;
}

function sessionOf(sessions: ReadonlyMap<ShardId, SequenceSession>, shard: ShardId) {
  const session = sessions.get(shard);
  assert(session !== undefined, 'a session for each shard');
  return session;
}

function fullName({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${schema}.${name}`;
}
