import { assert } from '../../base/assert.ts';
import { formatOf, readKey } from '../../planner/keys/read-key.ts';
import type { StatementValues } from '../../planner/keys/statement-values.ts';
import type { ListedRow, QueryPiece, WriteStep } from '../../planner/plan.ts';
import { joinedRows } from '../../planner/write/row-texts.ts';
import { writeRoute } from '../../planner/write/write-route.ts';
import type { Distribution } from '../../sharding/distribution.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { TextSource } from '../intermediate/query-text.ts';
import type { GatheredResult } from '../intermediate/result-column.ts';
import { ResultRows } from '../intermediate/result-rows.ts';
import type { BoundParameters } from '../select/multi-shard-select.ts';
import { ownerOf, textKeyReader } from './owners.ts';
import type { ReturnedRows, ShardWrite } from './shard-writes.ts';

type ListedRows = Extract<WriteStep, { readonly kind: 'listed-rows' }>;
type Results = readonly (GatheredResult | null)[];

export type ListedWrites = {
  readonly writes: readonly ShardWrite[];
  readonly returned: ReturnedRows;
  /** Of the last row, if it was computed. */
  readonly lastKey: string | null;
};

/**
 * One INSERT for each shard that owns a key of the rows. `parameterOids`: what is known of the
 * client's parameters. Throws for a key that no shard owns, before anything is sent.
 */
export function listedWrites(
  step: ListedRows,
  distribution: Distribution,
  values: StatementValues,
  source: TextSource,
  parameterOids: readonly number[],
): ListedWrites {
  const owner = ownerReader(distribution, values, source.results ?? []);
  const rowsOf = new Map<ShardId, ListedRow[]>();
  const owners = step.rows.map((row) => {
    const shard = owner(row.key);
    const rows = rowsOf.get(shard);
    if (rows === undefined) rowsOf.set(shard, [row]);
    else rows.push(row);
    return shard;
  });
  const shards = distribution.shards.filter((shard) => rowsOf.has(shard));
  const writes = shards.map((shard): ShardWrite => {
    const rows = (rowsOf.get(shard) ?? []).map(({ pieces }) => pieces);
    const all = joinedRows(step.head, rows, step.tail);
    const { pieces, parameters } = narrowed(all, values, parameterOids);
    return { shard, route: writeRoute({ kind: 'rewritten', pieces }), source, parameters };
  });
  const lastKey = computedKey(step.rows.at(-1)?.key, source.results ?? []);
  if (!step.hasEveryRow) return { writes, returned: { kind: 'all' }, lastKey };
  const numbers = new Map(shards.map((shard, index) => [shard, index]));
  const order = owners.map((shard) => numbers.get(shard) ?? 0);
  return { writes, returned: { kind: 'in-order', writes: order }, lastKey };
}

function computedKey(key: ListedRow['key'] | undefined, results: Results): string | null {
  const result = key?.kind === 'result' ? (results[key.result] ?? null) : null;
  if (key?.kind !== 'result' || result === null) return null;
  return new ResultRows(result).value(key.row, key.column)?.toString() ?? null;
}

function ownerReader(
  distribution: Distribution,
  values: StatementValues,
  results: Results,
): (key: ListedRow['key']) => ShardId {
  const known = new Map<number, ResultRows>();
  return (key) => {
    if (key.kind === 'value') {
      return ownerOf(distribution, readKey(key.value, distribution.keyType, 'assign', values));
    }
    const result = results[key.result] ?? null;
    assert(result !== null, 'computed keys come before their rows');
    const rows = known.get(key.result) ?? new ResultRows(result);
    known.set(key.result, rows);
    const read = textKeyReader(distribution, rows.typeOid(key.column), values.timeZone);
    return read(rows.value(key.row, key.column));
  };
}

/** With those parameters only that the pieces name: a server infers no types for others. */
function narrowed(
  pieces: readonly QueryPiece[],
  values: StatementValues,
  parameterOids: readonly number[],
): { readonly pieces: readonly QueryPiece[]; readonly parameters: BoundParameters } {
  const numbers = new Map<number, number>();
  const renumbered = pieces.map((piece): QueryPiece => {
    if (typeof piece === 'string' || piece.kind !== 'parameter') return piece;
    const index = numbers.get(piece.index) ?? numbers.size;
    numbers.set(piece.index, index);
    return { kind: 'parameter', index };
  });
  const used = [...numbers.keys()];
  return {
    pieces: renumbered,
    parameters: {
      typeOids: used.map((index) => parameterOids[index] ?? 0),
      formats: used.map((index) => formatOf(values, index)),
      values: used.map((index) => values.values[index] ?? null),
    },
  };
}
