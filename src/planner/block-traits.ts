import type { SelectNode, SqlNode, WindowNode } from '../sql/ast.ts';
import { tagOf } from '../sql/walk.ts';
import { callsIn } from './aggregate-calls.ts';
import { groupExpression, sortExpression } from './listed-expression.ts';
import type { Output } from './outputs.ts';
import { type Column, resolveColumn, type Scope } from './scope.ts';

/** How rows of a query are combined; `byKey` where only rows of one shard can be. */
export type BlockTraits = {
  readonly limited: boolean;
  readonly aggregation: 'none' | 'by-key' | 'over-shards';
  readonly distinct: 'none' | 'by-key' | 'over-shards';
  readonly distinctOn: boolean;
  readonly windows: 'none' | 'by-key' | 'over-shards';
  /**
   * Instances on whose key a condition on the result may be applied to the table's rows instead,
   * without a change of the result.
   */
  readonly transparentTo: (instance: number) => boolean;
};

export function blockTraits(
  select: SelectNode,
  scope: Scope,
  outputs: readonly Output[],
): BlockTraits {
  const calls = callsIn([select.targetList, select.havingClause, select.sortClause]);
  const groups = groupingColumns(select, scope, outputs);
  const partitions = calls.windows.map((call) => known(partitionOf(call.over, select), scope));
  const distinctOn = distinctOnColumns(select, scope, outputs);
  const limited = select.limitCount !== undefined || select.limitOffset !== undefined;
  const aggregated =
    groups !== null || calls.aggregates.length > 0 || select.havingClause !== undefined;
  const distinctColumns = distinctOn ?? outputs.map((output) => output.column);
  const distinct = (select.distinctClause ?? []).length > 0;
  const limits = [...partitions, ...(groups === null ? [] : [groups])];
  if (distinctOn !== null) limits.push(distinctOn);
  return {
    limited,
    aggregation: verdict(aggregated, hasKey(groups ?? [])),
    distinct: verdict(distinct, hasKey(distinctColumns)),
    distinctOn: distinctOn !== null,
    windows: verdict(calls.windows.length > 0, partitions.every(hasKey)),
    transparentTo: (instance) =>
      !limited && limits.every((columns) => columns.some((column) => holds(column, instance))),
  };
}

function verdict(present: boolean, byKey: boolean): 'none' | 'by-key' | 'over-shards' {
  if (!present) return 'none';
  return byKey ? 'by-key' : 'over-shards';
}

/** null: no GROUP BY. GROUPING SETS and their like make groups that no column describes. */
function groupingColumns(
  select: SelectNode,
  scope: Scope,
  outputs: readonly Output[],
): readonly Column[] | null {
  const nodes = select.groupClause ?? [];
  if (nodes.length === 0) return null;
  if (nodes.some((node) => tagOf(node) === 'GroupingSet')) return [];
  return known(
    nodes.map((node) => groupExpression(node, outputs, scope)),
    scope,
  );
}

/** null: no DISTINCT ON. */
function distinctOnColumns(
  select: SelectNode,
  scope: Scope,
  outputs: readonly Output[],
): readonly Column[] | null {
  const nodes = (select.distinctClause ?? []).filter((node) => tagOf(node) !== '');
  if (nodes.length === 0) return null;
  return known(
    nodes.map((node) => sortExpression(node, outputs)),
    scope,
  );
}

function known(expressions: readonly (SqlNode | null)[], scope: Scope): readonly Column[] {
  return expressions.flatMap((expression) => {
    const column = expression === null ? null : resolveColumn(scope, expression);
    return column === null ? [] : [column];
  });
}

/** A window may stand on a named one, which then holds its PARTITION BY. */
function partitionOf(window: WindowNode | undefined, select: SelectNode): readonly SqlNode[] {
  if (window === undefined) return [];
  const base = window.refname ?? (window.partitionClause === undefined ? window.name : undefined);
  if (base === undefined) return window.partitionClause ?? [];
  for (const node of select.windowClause ?? []) {
    if (!('WindowDef' in node) || node.WindowDef.name !== base) continue;
    return partitionOf({ ...node.WindowDef, name: '' }, select);
  }
  return window.partitionClause ?? [];
}

/** Rows with equal values lie on one shard; NULLs of an outer join lie on all. */
function hasKey(columns: readonly Column[]): boolean {
  return columns.some((column) => !column.nullable && column.keys.some((key) => key.exact));
}

function holds(column: Column, instance: number): boolean {
  return column.keys.some((key) => key.instance === instance);
}
