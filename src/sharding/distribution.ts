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

/** A shard's part of the key space, for people. */
export type Portion =
  /** Keys from `from` (inclusive) up to `to` (exclusive), folded; null is open. */
  | {
      readonly kind: 'range';
      readonly shard: ShardId;
      readonly from: Key | null;
      readonly to: Key | null;
    }
  /** `share` is the fraction of all hashes, 0 to 1, that the shard's arcs cover. */
  | {
      readonly kind: 'arcs';
      readonly shard: ShardId;
      readonly weight: number;
      readonly share: number;
    }
  | {
      readonly kind: 'remainders';
      readonly shard: ShardId;
      readonly remainders: readonly number[];
      readonly modulus: number;
    };

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
  /**
   * An SQL expression over built-in immutable functions that gives the owner's name on any server,
   * NULL for no owner. `columnSql` is an expression of the key's type, quoted as SQL needs it.
   */
  placementSql(columnSql: string): string;
  /** Ranges in key order; of a ring or modulo one portion per shard, in map order. */
  readonly portions: readonly Portion[];
};
