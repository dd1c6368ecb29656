import type { FunctionCallNode, SqlNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import { callsIn } from '../aggregate-calls.ts';
import { isBuiltinAggregate } from '../one-pass/builtin-aggregate.ts';
import type { Scope } from '../scope.ts';
import type { StatementContext } from '../statement-context.ts';
import { call, cast, integer, nullValue, operator } from '../tree-builders.ts';
import { isWholeRow } from '../whole-row.ts';
import { arithmeticType } from './arithmetic-type.ts';
import { combinedVariance, isVariance } from './combined-variance.ts';
import { isOfKey } from './distinct-keys.ts';
import { isFixed, isPure } from './expression-facts.ts';
import { mapNodes } from './map-nodes.ts';
import { normalForm } from './normal-form.ts';
import { resultTypeName } from './result-type-name.ts';
import { collatedLike, ShardColumns } from './shard-columns.ts';

/** What the shards compute for the aggregates of a query. */
export type AggregateParts = {
  readonly context: StatementContext;
  readonly scope: Scope;
  readonly resultName: string;
  readonly columns: ShardColumns;
  /** Shards' numbers of distinct keys may be added up. */
  readonly countsKeysOnce: boolean;
  /** A column by which the shards group besides the query's own groups. */
  addGroup(expression: SqlNode): SqlNode;
};

/** Folding a value in twice changes nothing. */
const foldable = [
  'any_value',
  'bit_and',
  'bit_or',
  'bool_and',
  'bool_or',
  'every',
  'max',
  'min',
] as const;
const exactTypes = ['int2', 'int4', 'int8', 'numeric'];

/**
 * An aggregate of all rows as one of the shards' columns, or null when it needs the rows themselves.
 * Shards may return several rows of one group, none, or one over no rows at all.
 */
export function combinedAggregate(parts: AggregateParts, node: FunctionCallNode): SqlNode | null {
  const { args = [], agg_filter, agg_order } = node;
  const inside = [args, agg_filter, agg_order];
  const nested = callsIn(inside);
  if (nested.aggregates.length > 0 || nested.windows.length > 0 || !isPure(inside)) return null;
  if (node.agg_within_group === true || node.func_variadic === true) return null;
  const name = builtinName(node.funcname) ?? '';
  const isFoldable = foldable.some((each) => each === name);
  const isOnce = parts.countsKeysOnce && isOfKey(parts.scope, node);
  if (node.agg_distinct === true && !isFoldable && !isOnce) return overDistinctValues(parts, node);
  if (!isBuiltinAggregate(parts.context, parts.scope, node)) return null;
  if (name === 'count') return totalOf(parts, { FuncCall: node });
  const [argument, ...more] = args;
  if (argument === undefined || more.length > 0) return null;
  if (name === 'any_value' && agg_order !== undefined) return null;
  const { agg_distinct, agg_order: _, ...others } = node;
  const distinct = isOnce && agg_distinct === true ? { agg_distinct } : {};
  const partial: SqlNode = { FuncCall: { ...others, ...distinct } };
  if (isRow(parts, name, argument)) return null;
  if (isFoldable || name === 'bit_xor') return folded(parts, name, argument, partial);
  if (name === 'sum') return sumOf(parts, argument, partial);
  if (name === 'avg') return averageOf(parts, argument, agg_filter);
  return isVariance(name) ? varianceOf(parts, name, argument, agg_filter) : null;
}

/**
 * The row cannot travel. Neither can the greatest one, even where its argument could: it is a record,
 * which does not say what it is made of.
 */
function isRow({ context, scope }: AggregateParts, name: string, argument: SqlNode): boolean {
  if ('RowExpr' in argument || isWholeRow(scope, argument)) return true;
  const type = name === 'max' || name === 'min' ? arithmeticType(context, scope, argument) : null;
  const { schema, searchPath } = context.source;
  return type !== null && schema.relation(null, type, searchPath) !== null;
}

function folded(parts: AggregateParts, name: string, argument: SqlNode, partial: SqlNode): SqlNode {
  const column = ShardColumns.reference(parts.columns.add(partial));
  return call(name, [collatedLike(argument, column)], undefined);
}

/** A sum of counts, 0 for none. */
function totalOf(parts: AggregateParts, count: SqlNode): SqlNode {
  const sum = call('sum', [ShardColumns.reference(parts.columns.add(count))], undefined);
  return { CoalesceExpr: { args: [cast(sum, 'int8'), integer(0)] } };
}

/** A sum of bigints is numeric, so it is cast to what the shards' sum is. */
function sumOf(parts: AggregateParts, argument: SqlNode, partial: SqlNode): SqlNode {
  const index = parts.columns.add(partial);
  const sum = call('sum', [ShardColumns.reference(index)], undefined);
  const type = arithmeticType(parts.context, parts.scope, argument);
  if (type === 'int2' || type === 'int4') return cast(sum, 'int8');
  if (type !== null && [...exactTypes, 'float4', 'float8', 'interval'].includes(type)) return sum;
  const names = [{ String: { sval: resultTypeName(parts.resultName, index) } }];
  return { TypeCast: { arg: sum, typeName: { names, typemod: -1 } } };
}

/** As PostgreSQL itself divides: numerics as such, avg(real) in double precision. */
function averageOf(
  parts: AggregateParts,
  argument: SqlNode,
  filter: SqlNode | undefined,
): SqlNode | null {
  const type = arithmeticType(parts.context, parts.scope, argument);
  const isExact = type !== null && exactTypes.includes(type);
  if (!isExact && type !== 'float4' && type !== 'float8' && type !== 'interval') return null;
  const added = type === 'float4' ? cast(argument, 'float8') : argument;
  const sum = parts.columns.add(call('sum', [added], filter));
  const count = parts.columns.add(call('count', [argument], filter));
  const total = call('sum', [ShardColumns.reference(sum)], undefined);
  const number = call('sum', [ShardColumns.reference(count)], undefined);
  if (isExact) return operator('/', total, number);
  // avg() starts from 0, sum() from the first value: only the latter can be -0.
  const counted = type === 'interval' ? total : operator('+', total, cast(integer(0), 'float8'));
  return operator('/', counted, cast(number, 'float8'));
}

/** Of exact types only: squares of floats lose what distinguishes them. */
function varianceOf(
  parts: AggregateParts,
  name: string,
  argument: SqlNode,
  filter: SqlNode | undefined,
): SqlNode | null {
  const type = arithmeticType(parts.context, parts.scope, argument);
  if (type === null || !exactTypes.includes(type)) return null;
  const value = type === 'numeric' ? argument : cast(argument, 'numeric');
  const total = (partial: SqlNode) =>
    call('sum', [ShardColumns.reference(parts.columns.add(partial))], undefined);
  return combinedVariance(name, {
    count: total(call('count', [argument], filter)),
    sum: total(call('sum', [value], filter)),
    squares: total(call('sum', [operator('*', value, value)], filter)),
  });
}

/** The shards return each combination of values once per group; above it counts once. */
function overDistinctValues(parts: AggregateParts, node: FunctionCallNode): SqlNode | null {
  const { scope } = parts;
  const values = (node.args ?? []).flatMap((argument) =>
    'RowExpr' in argument ? (argument.RowExpr.args ?? []) : [argument],
  );
  if (values.some((value) => 'RowExpr' in value || isWholeRow(scope, value))) return null;
  const columns = new Map<string, SqlNode>();
  for (const value of values) {
    if (!isFixed(value)) columns.set(normalForm(scope, value), parts.addGroup(value));
  }
  // Groups of constants alone would be there without a row, too.
  if (columns.size === 0) return null;
  const above = (value: SqlNode) => columns.get(normalForm(scope, value)) ?? null;
  const order = mapNodes(node.agg_order, above);
  if (!isFixed(withoutColumns(order, columns))) return null;
  const { agg_filter: filter, agg_order: _, ...others } = node;
  return {
    FuncCall: {
      ...others,
      args: mapNodes(node.args ?? [], above),
      ...(order === undefined ? {} : { agg_order: order }),
      ...(filter === undefined
        ? {}
        : { agg_filter: isFixed(filter) ? filter : parts.addGroup(filter) }),
    },
  };
}

/** What is left when the shards' columns are taken away. */
function withoutColumns(tree: unknown, columns: ReadonlyMap<string, SqlNode>): unknown {
  const known = new Set([...columns.values()].map((column) => JSON.stringify(column)));
  return mapNodes(tree, (node) => (known.has(JSON.stringify(node)) ? nullValue : null));
}
