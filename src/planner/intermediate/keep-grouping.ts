import type { SqlNode } from '../../sql/ast.ts';
import { tagOf } from '../../sql/walk.ts';
import type { Leaf } from '../leaf.ts';
import { groupExpression } from '../listed-expression.ts';
import { isGroupableColumn } from '../one-pass/groupable-type.ts';
import { reference } from '../outputs.ts';
import { type Column, resolveColumn } from '../scope.ts';
import type { BlockRecord, StatementContext } from '../statement-context.ts';

/**
 * A query that groups by a table's primary key may also name the table's other columns; one that
 * reads the table's rows as a result may not. The columns are added to GROUP BY, which makes no
 * other groups. Answers the changed queries by the old ones; null when rows cannot be grouped by one
 * of the columns.
 */
export function keepGrouping(
  context: StatementContext,
  leaf: Leaf,
  columns: readonly Column[],
): ReadonlyMap<object, unknown> | null {
  const changed = new Map<object, unknown>();
  for (const record of context.blocks) {
    const grouped = groupedColumns(context, leaf, record);
    if (grouped === null || !coversKey(leaf, grouped)) continue;
    const added = columns.filter(({ base }) => !grouped.has(base?.name ?? ''));
    if (!added.every(isGroupableColumn)) return null;
    const { groupClause = [] } = record.select;
    const references = added.map(({ name }) => reference([leaf.alias, name]));
    changed.set(record.select, { ...record.select, groupClause: [...groupClause, ...references] });
  }
  return changed;
}

/** The table's columns in a query's GROUP BY; null when there is none, or GROUPING SETS. */
function groupedColumns(
  context: StatementContext,
  leaf: Leaf,
  { select, block }: BlockRecord,
): ReadonlySet<string> | null {
  const { groupClause = [] } = select;
  const { body } = block;
  if (body.kind !== 'select' || groupClause.length === 0) return null;
  if (groupClause.some((node) => tagOf(node) === 'GroupingSet')) return null;
  const expressions = groupClause.map((node) =>
    groupExpression(node, body.outputs ?? [], body.scope),
  );
  const own = { from: body.scope.from, parent: null };
  const index = context.leaves.indexOf(leaf);
  const columns = expressions
    .filter((expression): expression is SqlNode => expression !== null)
    .map((expression) => resolveColumn(own, expression))
    .filter((column) => column?.leaf === index);
  return new Set(columns.map((column) => column?.base?.name ?? ''));
}

function coversKey({ relation }: Leaf, grouped: ReadonlySet<string>): boolean {
  const notNull = new Set(
    relation.columns.filter((column) => column.notNull).map((column) => column.name),
  );
  return relation.uniqueKeys.some((key) =>
    key.every((name) => grouped.has(name) && notNull.has(name)),
  );
}
