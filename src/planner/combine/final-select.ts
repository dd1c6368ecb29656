import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { stringsOf } from '../../sql/names.ts';
import { tagOf } from '../../sql/walk.ts';
import { resultRead } from '../intermediate/result-read.ts';
import { target, without } from '../tree-builders.ts';
import { groupClauseAbove } from './group-clause.ts';
import type { KnownBody } from './known-body.ts';
import { resultAlias } from './shard-columns.ts';

/** Clauses that the shards have dealt with already. */
export type Below = { readonly groups: boolean; readonly windows: boolean };

/**
 * The upper clauses of a SELECT over the columns of a result, in which `replace` writes expressions.
 * The columns of the answer keep their names and places, so ordinals and names in ORDER BY and
 * DISTINCT ON stay as they are.
 */
export function finalSelect(
  body: KnownBody,
  resultName: string,
  below: Below,
  replace: <Tree>(tree: Tree) => Tree,
): SelectNode {
  const { select, outputs } = body;
  const { targetList: _, sortClause, distinctClause, groupClause, ...others } = select;
  const rest = without(
    others,
    'withClause',
    'fromClause',
    'whereClause',
    'limitCount',
    'limitOffset',
    ...(below.groups ? (['havingClause', 'groupDistinct'] as const) : []),
    ...(below.windows ? (['windowClause'] as const) : []),
  );
  const listed = (node: SqlNode) => (isListed(body, node) ? node : replace(node));
  const sorted = (node: SqlNode): SqlNode =>
    'SortBy' in node && node.SortBy.node !== undefined
      ? { SortBy: { ...node.SortBy, node: listed(node.SortBy.node) } }
      : node;
  const isGrouped = groupClause !== undefined && !below.groups;
  // No column may stand in them.
  const { limitCount, limitOffset } = select;
  return {
    ...replace(rest),
    ...(limitCount === undefined ? {} : { limitCount }),
    ...(limitOffset === undefined ? {} : { limitOffset }),
    targetList: outputs.map(({ expression, column }) => target(replace(expression), column.name)),
    fromClause: [resultRead(resultName, resultAlias)],
    ...(distinctClause === undefined ? {} : { distinctClause: distinctClause.map(listed) }),
    ...(isGrouped ? { groupClause: groupClauseAbove(body, replace) } : {}),
    ...(sortClause === undefined ? {} : { sortClause: sortClause.map(sorted) }),
  };
}

/** An ordinal or the name of a column of the answer, or plain DISTINCT's mark. */
export function isListed({ outputs }: KnownBody, node: SqlNode): boolean {
  if (tagOf(node) === '' || 'A_Const' in node || 'ParamRef' in node) return true;
  if (!('ColumnRef' in node)) return false;
  const [name, ...more] = stringsOf(node.ColumnRef.fields);
  return more.length === 0 && outputs.some((output) => output.column.name === name);
}

/** What stands in DISTINCT ON and ORDER BY. */
export function listedNodes({ distinctClause = [], sortClause = [] }: SelectNode): SqlNode[] {
  return [...distinctClause, ...sortClause].map((node) =>
    'SortBy' in node ? (node.SortBy.node ?? node) : node,
  );
}
