import { assert } from '../../base/assert.ts';
import type { ResultField } from '../../planner/plan.ts';
import type { Distribution } from '../../sharding/distribution.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { GatheredResult } from '../intermediate/result-column.ts';
import { ResultRows } from '../intermediate/result-rows.ts';
import { textKeyReader } from './owners.ts';

export type ShardPart = {
  readonly shard: ShardId;
  /** All results, with those rows of the split one that belong on the shard. */
  readonly results: readonly (GatheredResult | null)[];
};

/** A result's rows by the owners of their keys; a shard without rows is left out. */
export function splitByKey(
  results: readonly (GatheredResult | null)[],
  key: ResultField,
  distribution: Distribution,
  timeZone: string | null,
): readonly ShardPart[] {
  const result = results[key.result] ?? null;
  assert(result !== null, 'the rows have been collected');
  const rows = new ResultRows(result);
  const owners = rowsByOwner(rows, key.column, distribution, timeZone);
  return distribution.shards.flatMap((shard) => {
    const numbers = owners.get(shard);
    if (numbers === undefined) return [];
    const part = ResultRows.pick([{ from: rows, rows: numbers }]);
    return { shard, results: results.map((each, index) => (index === key.result ? part : each)) };
  });
}

/** The numbers of the rows that belong on each shard. Throws when a row belongs on none. */
export function rowsByOwner(
  rows: ResultRows,
  column: number,
  distribution: Distribution,
  timeZone: string | null,
): ReadonlyMap<ShardId, readonly number[]> {
  const owner = textKeyReader(distribution, rows.typeOid(column), timeZone);
  const owners = new Map<ShardId, number[]>();
  for (let row = 0; row < rows.count; row += 1) {
    const shard = owner(rows.value(row, column));
    const numbers = owners.get(shard);
    if (numbers === undefined) owners.set(shard, [row]);
    else numbers.push(row);
  }
  return owners;
}
