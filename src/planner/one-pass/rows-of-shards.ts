import type { SqlNode } from '../../sql/ast.ts';
import { walk } from '../../sql/walk.ts';
import type { SelectBody } from '../block.ts';
import { isSetReturning } from '../function-traits.ts';
import { sortExpression } from '../listed-expression.ts';
import type { PlanNode, Reject, ShardQuery, SortKey } from '../plan.ts';
import { refusal } from '../refuse.ts';
import { receivedQuery, rewriteQuery } from '../rewrite-query.ts';
import { sameExpression } from '../same-expression.ts';
import type { StatementContext } from '../statement-context.ts';
import { hiddenTargets, without } from '../tree-builders.ts';
import { limitOfShards, limitRefs, withLimit } from './limit-refs.ts';
import { directionOf, type KeyColumn, orderKey } from './sort-keys.ts';

/**
 * Every row of the answer is a row of one shard's answer: they are appended, or merged by hidden
 * copies of the sort keys.
 */
export function rowsOfShards(context: StatementContext, body: SelectBody): PlanNode | Reject {
  const { select, outputs } = body;
  const refs = limitRefs(context, select);
  const columns = (select.sortClause ?? []).map((node) => sortColumn(context, body, node));
  if (columns.length > 0 && outputs === null) throw unknownColumns();
  const visibleCount = outputs?.length ?? 0;
  const rewritten =
    columns.length === 0 && refs.offset === null
      ? receivedQuery(context, select)
      : rewriteQuery(context, shardQuery(body, columns, refs));
  if (rewritten.kind === 'reject') return rewritten;
  const route = routeOf(rewritten, visibleCount, columns.length);
  const keys = columns.map(
    (column, index): SortKey => ({ ...column.key, column: visibleCount + index }),
  );
  const merged: PlanNode =
    keys.length === 0
      ? { kind: 'append', input: route }
      : { kind: 'merge-append', input: route, keys };
  return withLimit(merged, refs);
}

function shardQuery(
  { select }: SelectBody,
  columns: readonly KeyColumn[],
  refs: ReturnType<typeof limitRefs>,
) {
  const hidden = hiddenTargets(columns.map((column) => column.expression));
  const targetList = [...(select.targetList ?? []), ...hidden];
  const limitCount = limitOfShards(select, refs);
  const base = without(select, 'limitOffset', 'limitCount', 'limitOption');
  const limitOption =
    limitCount === null ? ('LIMIT_OPTION_DEFAULT' as const) : ('LIMIT_OPTION_COUNT' as const);
  return { ...base, targetList, ...(limitCount === null ? {} : { limitCount }), limitOption };
}

function sortColumn(context: StatementContext, body: SelectBody, node: SqlNode): KeyColumn {
  const { select, outputs, traits, scope } = body;
  const sorted = 'SortBy' in node ? node.SortBy.node : undefined;
  const expression = sorted === undefined ? null : sortExpression(sorted, outputs ?? []);
  if (expression === null) throw unknownColumns();
  if (returnsSets(expression)) {
    throw refusal(
      'ordering by a set-returning function over several shards is not supported',
      'Restrict the statement to one key.',
    );
  }
  const isDistinct = select.distinctClause !== undefined && !traits.distinctOn;
  const isSelected = (outputs ?? []).some(
    (output) => output.expression !== null && sameExpression(output.expression, expression),
  );
  if (isDistinct && !isSelected) {
    throw refusal(
      'ordering DISTINCT rows of several shards by what is not selected is not supported',
      'Order by columns of the select list, by their names or positions.',
    );
  }
  return orderKey(context, scope, expression, directionOf(node));
}

export function returnsSets(expressions: unknown): boolean {
  let found = false;
  walk(expressions, (node) => {
    if ('SubLink' in node) return false;
    if ('FuncCall' in node && isSetReturning(node.FuncCall)) found = true;
    return true;
  });
  return found;
}

export function routeOf(query: ShardQuery, visibleCount: number, hiddenCount: number): PlanNode {
  return { kind: 'route', query, visibleCount, hiddenCount };
}

export function unknownColumns() {
  return refusal(
    'the columns of this query are not all known by name',
    'Name the columns instead of * and ordinals.',
  );
}
