import type { FunctionCallNode, SelectNode, SqlNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import { walk } from '../../sql/walk.ts';
import { callsIn, isAggregateCall } from '../aggregate-calls.ts';
import type { SelectBody } from '../block.ts';
import { arithmeticType } from '../combine/arithmetic-type.ts';
import { conjunctsOf } from '../keys/conjuncts.ts';
import { isGroupable } from '../one-pass/groupable-type.ts';
import { reference } from '../outputs.ts';
import { plainColumn, resolveColumn, type Scope } from '../scope.ts';
import type { BlockRecord, StatementContext } from '../statement-context.ts';
import { hiddenPrefix, operator, plainSelect, target, whereAll } from '../tree-builders.ts';
import type { Part } from './part.ts';
import { replaceNodes } from './replace-nodes.ts';
import { resultRead } from './result-read.ts';

/** Aggregates that are NULL over no rows, as a subquery without a row is. */
const nullOverNothing = new Set(
  'avg sum min max stddev variance bool_and bool_or every'.split(' '),
);

const exactTypes = ['int2', 'int4', 'int8', 'numeric'];

/** `outer expression = column of the subquery`. */
type Correlation = { readonly inner: SqlNode; readonly outer: SqlNode };

/**
 * `(SELECT avg(x) FROM t WHERE t.a = outer.b)`: computed once for every value of `a`, then looked up
 * for each outer row. null where that could give another value (count over no rows is 0), or where
 * the subquery is correlated in another way.
 */
export function decorrelated(
  context: StatementContext,
  outermost: SelectNode,
  record: BlockRecord,
): Part | null {
  const { body } = record.block;
  if (body.kind !== 'select' || !isScalarAggregate(record)) return null;
  const parts = conjunctsOf(body.select.whereClause);
  const correlations = parts.map((part) => correlationOf(context, body, part));
  const rest = parts.filter((_, index) => correlations[index] === null);
  const found = correlations.filter((each) => each !== null);
  const value = scalarOf(body.select);
  if (found.length === 0 || value === null) return null;
  if (![...rest, value, body.select.fromClause].every((part) => isInside(body.scope, part)))
    return null;
  const names = [...found.map((_, index) => `${hiddenPrefix}k${index + 1}`), valueName];
  const inner = found.map((correlation) => correlation.inner);
  return {
    kind: 'query',
    columns: names.map(plainColumn),
    select: {
      ...plainSelect,
      targetList: [...inner, value].map((expression, index) => target(expression, names[index])),
      fromClause: [...(body.select.fromClause ?? [])],
      ...whereAll(rest),
      groupClause: inner,
    },
    replace: (relname) => {
      const lookup: SelectNode = {
        ...plainSelect,
        targetList: [target(reference([valueName]))],
        fromClause: [resultRead(relname)],
        ...whereAll(
          found.map(({ outer }, index) => operator('=', reference([names[index] ?? '']), outer)),
        ),
      };
      return replaceNodes(outermost, new Map<object, unknown>([[record.select, lookup]]));
    },
  };
}

const valueName = `${hiddenPrefix}value`;

/** `(SELECT expression over aggregates FROM ... WHERE ...)`, nothing else. */
function isScalarAggregate({ select }: BlockRecord): boolean {
  const { targetList, fromClause, whereClause, limitOption: _, op: __, ...others } = select;
  if (fromClause === undefined || whereClause === undefined) return false;
  return Object.keys(others).length === 0 && targetList?.length === 1;
}

/** NULL when there is no row: nothing in it turns NULL into a value. */
function scalarOf({ targetList = [] }: SelectNode): SqlNode | null {
  const [node] = targetList;
  const value = node !== undefined && 'ResTarget' in node ? node.ResTarget.val : undefined;
  if (value === undefined) return null;
  const { aggregates, windows } = callsIn(value);
  if (windows.length > 0 || aggregates.length === 0) return null;
  const isNull = aggregates.every(
    ({ funcname, userFunction }) =>
      userFunction === undefined && nullOverNothing.has(builtinName(funcname) ?? ''),
  );
  return isNull && isStrict(value) ? value : null;
}

/** Strict operators, casts and aggregates only. */
function isStrict(node: SqlNode): boolean {
  if ('A_Const' in node || 'ParamRef' in node) return true;
  if ('FuncCall' in node) return isAggregateCall(node.FuncCall) && cannotFail(node.FuncCall);
  if ('TypeCast' in node) return node.TypeCast.arg !== undefined && isStrict(node.TypeCast.arg);
  if (!('A_Expr' in node) || node.A_Expr.kind !== 'AEXPR_OP') return false;
  const { name, lexpr, rexpr } = node.A_Expr;
  if (!['+', '-', '*', '/'].includes(builtinName(name) ?? '')) return false;
  return [lexpr, rexpr].every((operand) => operand === undefined || isStrict(operand));
}

/** It is also computed for values that no outer row asks about: 1 / x could fail there. */
function cannotFail(call: FunctionCallNode): boolean {
  let answer = call.agg_filter === undefined;
  walk(call.args, (node) => {
    if ('A_Expr' in node) {
      const { kind, name } = node.A_Expr;
      answer &&= kind === 'AEXPR_OP' && ['+', '-', '*'].includes(builtinName(name) ?? '');
    } else answer &&= 'ColumnRef' in node || 'A_Const' in node || 'ParamRef' in node;
    return answer && !('ColumnRef' in node);
  });
  return answer;
}

function correlationOf(
  context: StatementContext,
  { scope }: SelectBody,
  conjunct: SqlNode,
): Correlation | null {
  if (!('A_Expr' in conjunct) || conjunct.A_Expr.kind !== 'AEXPR_OP') return null;
  const { name, lexpr, rexpr } = conjunct.A_Expr;
  if (builtinName(name) !== '=' || lexpr === undefined || rexpr === undefined) return null;
  for (const [inner, outer] of [
    [lexpr, rexpr],
    [rexpr, lexpr],
  ] as const) {
    if (!isOwnColumn(scope, inner) || !isOutside(scope, outer)) continue;
    if (isGroupEquality(context, scope, inner, outer)) return { inner, outer };
  }
  return null;
}

/**
 * `=` calls two values equal that GROUP BY puts into one group, and no others: not so when one is
 * converted to a coarser type, or where the other brings its own collation.
 */
function isGroupEquality(
  context: StatementContext,
  scope: Scope,
  inner: SqlNode,
  outer: SqlNode,
): boolean {
  const own = resolveColumn(scope, inner)?.base ?? null;
  if (own === null || !isGroupable(own.typeName)) return false;
  if (exactTypes.includes(own.typeName) && scope.parent !== null) {
    return exactTypes.includes(arithmeticType(context, scope.parent, outer) ?? '');
  }
  const other = resolveColumn(scope.parent, outer)?.base ?? null;
  const collations = [own.collation, other?.collation];
  return other?.typeOid === own.typeOid && !collations.includes('nondeterministic');
}

function isOwnColumn(scope: Scope, node: SqlNode): boolean {
  return 'ColumnRef' in node && resolveColumn({ from: scope.from, parent: null }, node) !== null;
}

/** All its columns are of the queries around. */
function isOutside(scope: Scope, node: SqlNode): boolean {
  let columns = 0;
  let answer = true;
  walk(node, (inner) => {
    if ('SubLink' in inner) answer = false;
    if (!('ColumnRef' in inner)) return answer;
    columns += 1;
    if (isOwnColumn(scope, inner) || resolveColumn(scope.parent, inner) === null) answer = false;
    return false;
  });
  return answer && columns > 0;
}

/** No column of the queries around, and no subquery, which might have one. */
function isInside(scope: Scope, part: unknown): boolean {
  let answer = true;
  walk(part, (node) => {
    if ('SubLink' in node || 'SelectStmt' in node) answer = false;
    if ('ColumnRef' in node && !isOwnColumn(scope, node)) answer = false;
    return answer;
  });
  return answer;
}
