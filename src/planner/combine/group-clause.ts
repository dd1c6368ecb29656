import type { SqlNode } from '../../sql/ast.ts';
import { groupExpression } from '../listed-expression.ts';
import { integer } from '../tree-builders.ts';
import type { KnownBody } from './known-body.ts';

/**
 * The expressions by which a GROUP BY groups, those of all its sets together; null when it cannot be
 * told what a name means.
 */
export function groupingExpressions({ select, outputs, scope }: KnownBody): SqlNode[] | null {
  const expressions = leavesOf(select.groupClause ?? []).map((node) =>
    groupExpression(node, outputs, scope),
  );
  const known = expressions.filter((expression) => expression !== null);
  return known.length === expressions.length ? known : null;
}

export function hasGroupingSets({ select }: KnownBody): boolean {
  return (select.groupClause ?? []).some((node) => 'GroupingSet' in node);
}

function leavesOf(nodes: readonly SqlNode[]): readonly SqlNode[] {
  return nodes.flatMap((node) => {
    const inner = innerList(node);
    return inner === null ? [node] : leavesOf(inner);
  });
}

/** The same clause over other columns: ordinals keep their meaning, names of results become ordinals. */
export function groupClauseAbove(
  { select, outputs, scope }: KnownBody,
  replace: (expression: SqlNode) => SqlNode,
): SqlNode[] {
  const above = (node: SqlNode): SqlNode => {
    if ('GroupingSet' in node && node.GroupingSet.content !== undefined) {
      return { GroupingSet: { ...node.GroupingSet, content: node.GroupingSet.content.map(above) } };
    }
    if ('GroupingSet' in node || 'A_Const' in node) return node;
    if ('RowExpr' in node && innerList(node) !== null) {
      return { RowExpr: { ...node.RowExpr, args: (node.RowExpr.args ?? []).map(above) } };
    }
    const meant = groupExpression(node, outputs, scope);
    const position = meant === node ? -1 : outputs.findIndex((each) => each.expression === meant);
    return position === -1 ? replace(node) : integer(position + 1);
  };
  return (select.groupClause ?? []).map(above);
}

/** `(a, b)` stands for its elements; ROW(a, b) for one value. */
function innerList(node: SqlNode): readonly SqlNode[] | null {
  if ('GroupingSet' in node) return node.GroupingSet.content ?? [];
  const isList = 'RowExpr' in node && node.RowExpr.row_format === 'COERCE_IMPLICIT_CAST';
  return isList ? (node.RowExpr.args ?? []) : null;
}
