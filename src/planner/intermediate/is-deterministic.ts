import type { SelectNode, SqlNode, SubLinkNode } from '../../sql/ast.ts';
import { tagOf, walk } from '../../sql/walk.ts';
import { isAggregateCall } from '../aggregate-calls.ts';
import { isDeterministicCall, isMovingValue } from '../function-traits.ts';
import { resultsIn } from '../intermediate-results.ts';
import { insideOfStandardValues, standardValues } from '../standard-syntax.ts';

const plain = new Set([
  ...standardValues,
  ...insideOfStandardValues,
  ...(
    'A_Const A_Expr A_Indirection A_Indices A_ArrayExpr ColumnRef ParamRef TypeCast CollateClause ' +
    'BoolExpr NullTest BooleanTest FuncCall RowExpr CaseExpr CaseWhen CoalesceExpr MinMaxExpr ' +
    'List String Integer Float Boolean SubLink'
  ).split(' '),
]);

/**
 * A condition or value with the same result on every server, whenever it is computed: it may be
 * computed where the rows lie.
 */
export function isDeterministic(expression: SqlNode): boolean {
  let answer = true;
  walk(expression, (node) => {
    if (!plain.has(tagOf(node)) || isMoving(node)) answer = false;
    return answer && !('SubLink' in node);
  });
  return answer;
}

function isMoving(node: SqlNode): boolean {
  if ('SubLink' in node) return !readsResultOnly(node.SubLink);
  if (!('FuncCall' in node)) return isMovingValue(node);
  if (!isDeterministicCall(node.FuncCall)) return true;
  return node.FuncCall.over !== undefined || isAggregateCall(node.FuncCall);
}

/** `(SELECT column FROM result)`: rows that travel with the query. */
export function readsResultOnly(link: SubLinkNode): boolean {
  const { subselect, testexpr } = link;
  if (subselect === undefined || !('SelectStmt' in subselect)) return false;
  return (
    isPlainReadOfResult(subselect.SelectStmt) &&
    (testexpr === undefined || isDeterministic(testexpr))
  );
}

/** `SELECT columns FROM result`, nothing else. */
export function isPlainReadOfResult(select: SelectNode): boolean {
  const { fromClause = [], targetList = [], limitOption: _, op: __, ...others } = select;
  const [table] = fromClause;
  if (table === undefined || fromClause.length > 1 || !('RangeVar' in table)) return false;
  if (Object.keys(others).length > 0) return false;
  const isColumn = targetList.every(
    (node) =>
      'ResTarget' in node && node.ResTarget.val !== undefined && 'ColumnRef' in node.ResTarget.val,
  );
  return isColumn && resultsIn(table).length === 1;
}
