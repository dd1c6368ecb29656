import type { SqlNode } from '../../sql/ast.ts';
import { sameExpression } from '../same-expression.ts';
import type { Scope } from '../scope.ts';
import type { StatementContext } from '../statement-context.ts';
import { directionOf, groupKey, type KeyColumn, orderKey } from './sort-keys.ts';

export type GroupingOrder = {
  /** One for each grouping expression: those of ORDER BY first, in its order. */
  readonly columns: readonly KeyColumn[];
  /** Elements of ORDER BY that are no grouping expressions: `columns` then follow no order. */
  readonly others: readonly SqlNode[];
};

/**
 * The order in which groups are merged. Where ORDER BY names grouping expressions only, it is the
 * order that the client asked for, and nothing needs to be sorted above.
 */
export function groupingOrder(
  context: StatementContext,
  scope: Scope,
  groups: readonly SqlNode[],
  sortClause: readonly SqlNode[],
  expressionOf: (node: SqlNode) => SqlNode | null,
): GroupingOrder {
  const others = sortClause.filter((node) => groupIndex(groups, node, expressionOf) === -1);
  const columns: KeyColumn[] = [];
  const placed = new Set<number>();
  for (const node of others.length > 0 ? [] : sortClause) {
    const index = groupIndex(groups, node, expressionOf);
    const expression = groups[index];
    if (expression === undefined || placed.has(index)) continue;
    placed.add(index);
    columns.push(orderedGroupKey(context, scope, expression, node));
  }
  groups.forEach((expression, index) => {
    if (!placed.has(index)) columns.push(groupKey(context, scope, expression));
  });
  return { columns, others };
}

/** Both at once: equal values are neighbours, and the order is the one that was asked for. */
function orderedGroupKey(
  context: StatementContext,
  scope: Scope,
  expression: SqlNode,
  node: SqlNode,
): KeyColumn {
  const direction = directionOf(node);
  const { key } = orderKey(context, scope, expression, direction);
  const group = groupKey(context, scope, expression);
  // Where byte order is not proven, text must be refused at run time, not brought into byte order.
  if (key.collation === 'c') return { ...group, key: { ...group.key, ...direction } };
  return { expression, key };
}

function groupIndex(
  groups: readonly SqlNode[],
  node: SqlNode,
  expressionOf: (node: SqlNode) => SqlNode | null,
): number {
  const sorted = 'SortBy' in node ? node.SortBy.node : undefined;
  const expression = sorted === undefined ? null : expressionOf(sorted);
  if (expression === null) return -1;
  return groups.findIndex((group) => sameExpression(group, expression));
}
