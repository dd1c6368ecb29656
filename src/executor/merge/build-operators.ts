import { assert, unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { PlanNode, SortKey } from '../../planner/plan.ts';
import type { Accumulator } from './accumulator.ts';
import { accumulatorFor } from './accumulators.ts';
import { Aggregate } from './aggregate.ts';
import { Append } from './append.ts';
import { compareRowsBy } from './compare-rows.ts';
import { KWayMerge } from './k-way-merge.ts';
import { Limit } from './limit.ts';
import type { AggregatePlan } from './plan-shape.ts';
import type { RowRange } from './row-count.ts';
import type { RowSource } from './row-source.ts';
import { formatOf } from './shard-query-messages.ts';
import { Sort } from './sort.ts';

export type OperatorContext = {
  /** One per shard. */
  readonly streams: readonly RowSource[];
  /** Types of the shards' columns, visible then hidden. */
  readonly shardTypeOids: readonly number[];
  readonly resultFormats: readonly number[];
  /** Of the plan's limit node. */
  readonly range: RowRange;
  readonly extraFloatDigits: number;
  readonly mergeBytesMax: number;
  /** The client's columns as described, when that was asked for; computed ones are checked. */
  readonly describedTypeOids: readonly number[] | null;
};

export type Operator = {
  readonly source: RowSource;
  /** Of its rows' columns; the client gets the first of them. */
  readonly typeOids: readonly number[];
};

/** The operators of a plan over its shards' streams. 0A000 for what cannot be reproduced exactly. */
export function buildOperators(root: PlanNode, context: OperatorContext): Operator {
  return build(root, [], context);
}

/** `sortKeys` are those of a sort right above `node`. */
function build(node: PlanNode, sortKeys: readonly SortKey[], context: OperatorContext): Operator {
  const { streams, shardTypeOids } = context;
  switch (node.kind) {
    case 'route':
      return { source: new Append(streams), typeOids: shardTypeOids };
    case 'append':
      return build(node.input, [], context);
    case 'merge-append': {
      assert(node.input.kind === 'route', 'shards are merged as they come');
      const compare = compareRowsBy(node.keys, shardTypeOids);
      return { source: new KWayMerge(streams, compare), typeOids: shardTypeOids };
    }
    case 'aggregate':
      return buildAggregate(node, sortKeys, context);
    case 'sort':
      return buildSort(node, context);
    case 'limit': {
      const input = build(node.input, [], context);
      return { source: new Limit(input.source, context.range), typeOids: input.typeOids };
    }
    default:
      return unreachable(node);
  }
}

function buildAggregate(
  node: AggregatePlan,
  sortKeys: readonly SortKey[],
  context: OperatorContext,
): Operator {
  const input = build(node.input, [], context);
  const accumulators = node.outputs.map((output, column) => {
    const accumulator = accumulatorFor(output, {
      typeOids: input.typeOids,
      format: formatOf(context.resultFormats, column),
      extraFloatDigits: context.extraFloatDigits,
    });
    if (output.kind === 'sum' || output.kind === 'avg') {
      mustHaveType(accumulator, context.describedTypeOids?.[column]);
    }
    return accumulator;
  });
  const sortCopies = sortedOutputs(node, sortKeys).map((column) => {
    const accumulator = accumulators[column];
    assert(accumulator !== undefined, 'sorted outputs are outputs');
    return accumulator;
  });
  const source = new Aggregate(input.source, {
    sameGroup: node.groupBy.length === 0 ? null : compareRowsBy(node.groupBy, input.typeOids),
    accumulators,
    carry: node.carry,
    sortCopies,
    inputColumnCount: input.typeOids.length,
  });
  const typeOids = [
    ...accumulators.map((accumulator) => accumulator.typeOid),
    ...node.carry.map((column) => input.typeOids[column] ?? 0),
    ...sortCopies.map((accumulator) => accumulator.typeOid),
  ];
  return { source, typeOids };
}

/** Keys on an aggregate's results compare the binary copies that follow its carried columns. */
function buildSort(
  node: Extract<PlanNode, { readonly kind: 'sort' }>,
  context: OperatorContext,
): Operator {
  const below = node.input;
  assert(below.kind === 'aggregate', 'only groups are sorted here');
  const input = build(below, node.keys, context);
  const copied = sortedOutputs(below, node.keys);
  const copiesStart = below.outputs.length + below.carry.length;
  const keys = node.keys.map((key) => {
    const copy = copied.indexOf(key.column);
    return copy < 0 ? key : { ...key, column: copiesStart + copy };
  });
  const compare = compareRowsBy(keys, input.typeOids);
  const source = new Sort(input.source, compare, context.mergeBytesMax);
  return { source, typeOids: input.typeOids };
}

function sortedOutputs(node: AggregatePlan, keys: readonly SortKey[]): readonly number[] {
  const columns = keys.map((key) => key.column).filter((column) => column < node.outputs.length);
  for (const column of columns) {
    assert(node.outputs[column]?.kind !== 'group', 'groups are sorted by their carried copies');
  }
  return columns;
}

/** The partial results of an argument of a rare type may add up to another type than the client's. */
function mustHaveType(accumulator: Accumulator, described: number | undefined): void {
  if (described === undefined || described === accumulator.typeOid) return;
  throw new PgError(
    SqlState.featureNotSupported,
    `an aggregate with the result type of OID ${described} is not supported over several shards`,
    { hint: 'Cast the argument to bigint, numeric or double precision.' },
  );
}
