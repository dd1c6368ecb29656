import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import type { StatementContext } from '../statement-context.ts';
import { integer, without } from '../tree-builders.ts';
import { isFixed, isPure } from './expression-facts.ts';
import { type Below, finalSelect } from './final-select.ts';
import { groupingExpressions } from './group-clause.ts';
import { isGroupedByForm } from './grouped-by-form.ts';
import type { KnownBody } from './known-body.ts';
import type { QueryParts } from './query-parts.ts';
import { RowUnits } from './row-units.ts';
import { topRows } from './top-rows.ts';

/**
 * Shards send rows: of FROM and WHERE, or, where groups or windows do not reach over shards, of what
 * follows from those. The rest of the query runs over all rows. null when it would not mean the same.
 */
export function splitRows(
  context: StatementContext,
  body: KnownBody,
  resultName: string,
): QueryParts | null {
  const { aggregation, windows } = body.traits;
  const below = {
    groups: aggregation === 'by-key',
    windows: aggregation !== 'over-shards' && windows === 'by-key',
  };
  const whole = { groups: false, windows: false };
  return (
    splitAbove(context, body, resultName, below) ?? splitAbove(context, body, resultName, whole)
  );
}

function splitAbove(
  context: StatementContext,
  body: KnownBody,
  resultName: string,
  below: Below,
): QueryParts | null {
  const groups = groupingExpressions(body);
  if (groups === null || (below.groups && !isPure(groups))) return null;
  const isGrouped = body.traits.aggregation !== 'none';
  if (isGrouped && !below.groups && !isGroupedByForm(body, groups)) return null;
  const units = RowUnits.of(body, below, (replace) =>
    finalSelect(body, resultName, below, replace),
  );
  if (units === null) return null;
  const { columns, final } = units;
  if (columns.expressions.length === 0) columns.add(integer(1));
  const partial = {
    ...partialSelect(body, below, groups),
    targetList: columns.targets,
    ...topRows(context, body, below),
  };
  return { partial, columns: columns.names, final };
}

/** Without a select list, order and limit. A constant groups nothing, and is an ordinal by itself. */
function partialSelect(
  { select }: KnownBody,
  below: Below,
  groups: readonly SqlNode[],
): SelectNode {
  const base = without(
    select,
    'targetList',
    'distinctClause',
    'groupClause',
    'sortClause',
    'limitCount',
    'limitOffset',
    ...(below.groups ? [] : (['groupDistinct', 'havingClause'] as const)),
    ...(below.windows ? [] : (['windowClause'] as const)),
  );
  const groupClause = groups.filter((expression) => !isFixed(expression));
  const grouped = below.groups ? { groupClause } : {};
  return { ...base, limitOption: 'LIMIT_OPTION_DEFAULT', ...grouped };
}
