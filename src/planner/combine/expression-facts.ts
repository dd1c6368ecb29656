import type { SqlNode, SubLinkNode } from '../../sql/ast.ts';
import { clockWord } from '../../sql/lexer.ts';
import { builtinName, stringsOf } from '../../sql/names.ts';
import { tagOf, walk } from '../../sql/walk.ts';
import { deterministicFunctions, orderedAggregateFunctions } from '../builtin-functions.ts';
import { isPlainReadOfResult } from '../intermediate/is-deterministic.ts';
import { starFields } from '../outputs.ts';
import { returnsSets } from '../rows-of-shards.ts';
import { findItem, resolveColumn, type Scope } from '../scope.ts';

/** Nodes that are a value by themselves and can be a column of a result. */
const values = new Set(
  (
    'A_ArrayExpr A_Expr A_Indirection BoolExpr BooleanTest CaseExpr CoalesceExpr CollateClause ' +
    'ColumnRef FuncCall GroupingFunc MinMaxExpr NullTest SubLink TypeCast'
  ).split(' '),
);

const insideOfValues =
  'A_Const A_Indices A_Star Boolean CaseWhen CommonTableExpr Float GroupingSet Integer JoinExpr ' +
  'List ParamRef RangeFunction RangeSubselect RangeVar ResTarget RowExpr SelectStmt SortBy String ' +
  'WindowDef';
const understood = new Set([...values, ...insideOfValues.split(' ')]);

export function isValue(node: SqlNode): boolean {
  return values.has(tagOf(node));
}

/**
 * The same value on every server for the same rows: shards may compute it. Aggregates, windows and
 * subqueries are looked into, not ruled out.
 */
export function isPure(expression: unknown): boolean {
  let answer = !returnsSets(expression);
  walk(expression, (node) => {
    if (!understood.has(tagOf(node)) || isMoving(node)) answer = false;
    return answer;
  });
  return answer;
}

function isMoving(node: SqlNode): boolean {
  if ('A_Const' in node) return clockWord.test(node.A_Const.sval?.sval ?? '');
  if ('TypeCast' in node) {
    return (builtinName(node.TypeCast.typeName?.names) ?? '').startsWith('reg');
  }
  if (!('FuncCall' in node)) return false;
  const name = builtinName(node.FuncCall.funcname) ?? '';
  return !deterministicFunctions.has(name) && !orderedAggregateFunctions.has(name);
}

/** Reads no row, neither of FROM nor of any table but intermediate results. */
export function isFixed(expression: unknown): boolean {
  let answer = true;
  walk(expression, (node) => {
    if ('ColumnRef' in node) answer = false;
    if (!('SubLink' in node)) return answer;
    if (!isClosed(node.SubLink) || !isFixed(node.SubLink.testexpr)) answer = false;
    return false;
  });
  return answer;
}

/** Its query can run beside any other: it reads nothing, or a result that travels along. */
export function isClosed({ subselect }: SubLinkNode): boolean {
  if (subselect === undefined || !('SelectStmt' in subselect)) return false;
  if (isPlainReadOfResult(subselect.SelectStmt)) return true;
  let answer = true;
  walk(subselect, (node) => {
    if ('ColumnRef' in node || 'RangeVar' in node) answer = false;
    return answer;
  });
  return answer;
}

/** `t`, `t.*`: all columns of an item of FROM as one value, which no column of a result can be. */
export function isWholeRow(scope: Scope, node: SqlNode): boolean {
  if (!('ColumnRef' in node)) return false;
  if (starFields(node) !== null) return true;
  const [name, ...more] = stringsOf(node.ColumnRef.fields);
  if (name === undefined || more.length > 0 || resolveColumn(scope, node) !== null) return false;
  const own = scope.from.filter((item) => !item.open);
  return findItem({ from: own, parent: null }, null, name) !== null;
}

/** Whether the expression itself, not a subquery in it, has such a node. */
export function holds(expression: unknown, wanted: (node: SqlNode) => boolean): boolean {
  let found = false;
  walk(expression, (node) => {
    if (wanted(node)) found = true;
    return !found && !('SubLink' in node);
  });
  return found;
}
