import type { Distribution } from './distribution.ts';
import type { ShardId } from './shard-id.ts';

/** Where the rows of a table live. A table that is not listed is `local` to the home shard. */
export type TableSharding =
  | { readonly kind: 'distributed'; readonly distribution: Distribution; readonly key: string }
  | { readonly kind: 'reference' }
  | { readonly kind: 'local' };

/**
 * Which shard owns what: immutable, replaced as a whole. `tables` is keyed by `schema.table`
 * exactly as the catalogue spells them (no quotes, `public.` included) and holds only listed
 * tables, never `local` ones.
 */
export type ShardMap = {
  readonly version: number;
  readonly shards: readonly ShardId[];
  readonly home: ShardId;
  readonly distributions: ReadonlyMap<string, Distribution>;
  readonly tables: ReadonlyMap<string, TableSharding>;
  /**
   * `schema.function`, likewise: any shard may run them, since they read nothing but their arguments,
   * reference tables and settings, and change nothing.
   */
  readonly functions: ReadonlySet<string>;
};
