import { unreachable } from '../../base/assert.ts';
import type { MapOutline, TablePlacement } from '../../sharding/map-outline.ts';
import type { ShardId } from '../../sharding/shard-id.ts';

/** What must hold of the rows of a table, named `schema.table`, for a map to be right. */
export type RowCheck =
  /** Each shard has no row but those that the map gives to it. */
  | {
      readonly kind: 'owned';
      readonly table: string;
      readonly ownerSql: string;
      readonly shards: readonly ShardId[];
    }
  /** There are no rows: nobody would look for them there. */
  | { readonly kind: 'empty'; readonly table: string; readonly shards: readonly ShardId[] }
  /** The shards have the same rows. */
  | { readonly kind: 'same'; readonly table: string; readonly shards: readonly ShardId[] }
  /** All tables but `listed` are the same on both shards, or have no rows on the first. */
  | {
      readonly kind: 'home';
      readonly listed: readonly string[];
      readonly shards: readonly [from: ShardId, to: ShardId];
    };

/**
 * What has to be looked at before `after` replaces `before`: rows are looked for elsewhere then. Empty
 * for an edit that changes nothing about it.
 */
export function rowChecks(before: MapOutline, after: MapOutline): readonly RowCheck[] {
  const listed = [...new Set([...Object.keys(before.tables), ...Object.keys(after.tables)])].sort();
  const checks = listed.flatMap((table) => checksOf(table, before, after));
  if (before.home !== after.home) {
    checks.push({ kind: 'home', listed, shards: [before.home, after.home] });
  }
  return checks.filter(({ shards }) => shards.length > 0);
}

function checksOf(table: string, before: MapOutline, after: MapOutline): RowCheck[] {
  const was = before.tables[table] ?? { kind: 'local' };
  const is = after.tables[table] ?? { kind: 'local' };
  const left = before.shards.filter((shard) => !after.shards.includes(shard));
  // Where rows were, of shards that are no longer there.
  const lost: RowCheck = { kind: 'empty', table, shards: wasOn(was, before, left) };
  switch (is.kind) {
    case 'distributed':
      if (was.kind === 'distributed' && isSame(was, is)) return [];
      return [{ kind: 'owned', table, ownerSql: is.ownerSql, shards: after.shards }, lost];
    case 'reference': {
      const hasNew = after.shards.some((shard) => !before.shards.includes(shard));
      if (was.kind === 'reference' && !hasNew) return [];
      return [{ kind: 'same', table, shards: after.shards }, lost];
    }
    case 'local':
      if (was.kind === 'reference') {
        return before.shards.includes(after.home)
          ? []
          : [{ kind: 'same', table, shards: [before.home, after.home] }];
      }
      if (was.kind === 'local') return [];
      return [
        { kind: 'empty', table, shards: others([...before.shards, ...after.shards], after.home) },
      ];
    default:
      return unreachable(is);
  }
}

function wasOn(
  was: TablePlacement | { readonly kind: 'local' },
  { home }: MapOutline,
  left: readonly ShardId[],
): readonly ShardId[] {
  if (was.kind === 'reference') return [];
  return was.kind === 'local' ? left.filter((shard) => shard === home) : left;
}

function isSame(
  one: Extract<TablePlacement, { kind: 'distributed' }>,
  other: Extract<TablePlacement, { kind: 'distributed' }>,
): boolean {
  return one.key === other.key && one.ownerSql === other.ownerSql;
}

function others(shards: readonly ShardId[], but: ShardId): readonly ShardId[] {
  return [...new Set(shards)].filter((shard) => shard !== but);
}
