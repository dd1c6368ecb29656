import { describe, expect, it } from 'vitest';
import { rowChecks } from '../../../src/cluster/map-edit/row-checks.ts';
import type { MapOutline, TablePlacement } from '../../../src/sharding/map-outline.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';

const [a, b, c] = ['a', 'b', 'c'] as readonly string[] as [ShardId, ShardId, ShardId];
const reference: TablePlacement = { kind: 'reference' };

function by(ownerSql: string, key = 'id'): TablePlacement {
  return { kind: 'distributed', key, ownerSql };
}

function map(
  tables: MapOutline['tables'],
  { shards = [a, b], home = a }: Partial<MapOutline> = {},
): MapOutline {
  return { home, shards, tables };
}

describe('an edit of the map', () => {
  it.each([
    ['of nothing', map({ t: by('x'), r: reference }), map({ t: by('x'), r: reference })],
    [
      'that adds a shard without rows',
      map({ t: by('x') }),
      map({ t: by('x') }, { shards: [a, b, c] }),
    ],
    ['that no longer lists a reference table', map({ r: reference }), map({})],
  ])('asks for no rows: %s', (_, before, after) => {
    expect(rowChecks(before, after)).toEqual([]);
  });

  it.each([
    ['other ranges', by('x'), by('y')],
    ['another key', by('x'), by('x', 'other')],
    ['a reference table that is distributed', reference, by('y')],
  ])('asks every shard for rows that are not its own: %s', (_, was, is) => {
    const checks = rowChecks(map({ t: was }), map({ t: is }));
    const { ownerSql } = is as Extract<TablePlacement, { kind: 'distributed' }>;
    expect(checks).toEqual([{ kind: 'owned', table: 't', ownerSql, shards: [a, b] }]);
  });

  it('asks shards that leave for what is left there', () => {
    const before = map({ t: by('x'), r: reference }, { shards: [a, b, c] });
    expect(rowChecks(before, map({ t: by('y'), r: reference }))).toEqual([
      { kind: 'owned', table: 't', ownerSql: 'y', shards: [a, b] },
      { kind: 'empty', table: 't', shards: [c] },
    ]);
  });

  it('asks for rows beside the home shard when a table is no longer distributed', () => {
    expect(rowChecks(map({ t: by('x') }), map({}))).toEqual([
      { kind: 'empty', table: 't', shards: [b] },
    ]);
  });

  it('compares the copies of what becomes a reference table, or gets one more copy', () => {
    expect(rowChecks(map({}), map({ t: reference }))).toEqual([
      { kind: 'same', table: 't', shards: [a, b] },
    ]);
    const grown = map({ r: reference }, { shards: [a, b, c] });
    expect(rowChecks(map({ r: reference }), grown)).toEqual([
      { kind: 'same', table: 'r', shards: [a, b, c] },
    ]);
  });

  it('compares the home shards, but for what is listed', () => {
    expect(rowChecks(map({ t: by('x') }), map({ t: by('x') }, { home: b }))).toEqual([
      { kind: 'home', listed: ['t'], shards: [a, b] },
    ]);
  });
});
