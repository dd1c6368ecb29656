import type { ShardId } from './shard-id.ts';
import type { ShardMap } from './shard-map.ts';

/** Where the rows of a listed table lie. */
export type TablePlacement =
  | { readonly kind: 'reference' }
  /** `ownerSql` gives each row's owner, as Distribution.placementSql. */
  | { readonly kind: 'distributed'; readonly key: string; readonly ownerSql: string };

/**
 * Of a shard map what decides where rows are looked for, in plain values, so that it can be kept and
 * compared with a later one.
 */
export type MapOutline = {
  readonly home: ShardId;
  readonly shards: readonly ShardId[];
  /** By `schema.table`, as in ShardMap. */
  readonly tables: { readonly [table: string]: TablePlacement };
};

export function mapOutline({ home, shards, tables }: ShardMap): MapOutline {
  const placements: { [table: string]: TablePlacement } = {};
  for (const [table, sharding] of tables) {
    if (sharding.kind === 'reference') placements[table] = { kind: 'reference' };
    if (sharding.kind !== 'distributed') continue;
    const { distribution, key } = sharding;
    const ownerSql = distribution.placementSql(`"${key.replaceAll('"', '""')}"`);
    placements[table] = { kind: 'distributed', key, ownerSql };
  }
  return { home, shards, tables: placements };
}
