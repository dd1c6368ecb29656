import type { ShardId } from './shard-id.ts';

/** Types that a distribution column may have. `citext` must fold. */
export type KeyType =
  | 'text'
  | 'varchar'
  | 'bpchar'
  | 'citext'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'uuid'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'bytea';

/**
 * A value of a distribution column in canonical form. Text kinds: UTF-8 bytes, not yet folded
 * (bpchar without trailing blanks). Integers: the number. uuid: 16 bytes. date: days, timestamps:
 * microseconds since 2000-01-01 as PostgreSQL stores them (infinities are the type's extreme
 * integers). bytea: the bytes.
 */
export type Key =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'integer'; readonly value: bigint };

export type KeyBound = { readonly key: Key; readonly inclusive: boolean };

/**
 * Co-located tables share one distribution: same key, same shard. All answers are what the SQL
 * expressions named in docs/shard-map.md give on a server.
 */
export type Distribution = {
  readonly name: string;
  readonly keyType: KeyType;
  /** ASCII letters compare as upper case for placement. */
  readonly fold: boolean;
  readonly method: 'ranges' | 'ring' | 'modulo';
  /** Every shard that may own a key, in map order. */
  readonly shards: readonly ShardId[];
  /** The owner, or null when no range covers the key. */
  shardOf(key: Key): ShardId | null;
  /**
   * A superset of the shards that own keys between the bounds in C (byte) order of the unfolded
   * keys; all shards for a ring or a folding map. null is open.
   */
  shardsBetween(low: KeyBound | null, high: KeyBound | null): readonly ShardId[];
  /** A superset of the shards that own text keys which begin with `prefix` (UTF-8 bytes). */
  shardsWithPrefix(prefix: Buffer): readonly ShardId[];
  /** One line a DBA can read: why `key` lies where it lies. */
  explain(key: Key): string;
};
