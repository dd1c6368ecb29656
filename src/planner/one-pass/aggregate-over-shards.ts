import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { slotOf } from '../../sql/bind-slots.ts';
import { tagOf, walk } from '../../sql/walk.ts';
import { callsIn } from '../aggregate-calls.ts';
import type { SelectBody } from '../block.ts';
import { readsResultOnly } from '../intermediate/is-deterministic.ts';
import { groupExpression, sortExpression } from '../listed-expression.ts';
import type { Output } from '../outputs.ts';
import type { PlanNode, Reject, SortKey } from '../plan.ts';
import { refusal } from '../refuse.ts';
import { rewriteQuery } from '../rewrite-query.ts';
import { sameExpression } from '../same-expression.ts';
import type { StatementContext } from '../statement-context.ts';
import { hiddenTargets, sortByColumn, target, without } from '../tree-builders.ts';
import { groupingOrder } from './grouping-order.ts';
import { limitRefs, withLimit } from './limit-refs.ts';
import { PartialColumns } from './partial-columns.ts';
import { returnsSets, routeOf, unknownColumns } from './rows-of-shards.ts';
import { directionOf, orderKey } from './sort-keys.ts';

/**
 * Partial aggregates from the shards, merged by group and folded in the proxy. LIMIT and HAVING
 * must see whole groups, so the shards get neither.
 */
export function aggregateOverShards(
  context: StatementContext,
  body: SelectBody,
): PlanNode | Reject {
  const { select, scope } = body;
  if (body.outputs === null) throw unknownColumns();
  const outputs = knownOutputs(body);
  refuseUnmergeable(select);
  const refs = limitRefs(context, select);
  const groups = (select.groupClause ?? []).map((node) => {
    const expression = groupExpression(node, outputs, scope);
    if (expression === null || tagOf(node) === 'GroupingSet') throw unknownGroup();
    // Written in the place of its name it would be an ordinal, or an error.
    if (isConstant(expression)) throw unknownGroup();
    return expression;
  });
  const grouping = groupingOrder(context, scope, groups, select.sortClause ?? [], (node) =>
    sortExpression(node, outputs),
  );
  const partial = new PartialColumns(context, scope);
  for (const output of outputs) partial.addOutput(output.expression);
  const groupColumns = grouping.columns.map((column) => partial.addHidden(column.expression));
  const sorting = sortAbove(context, body, { outputs, partial, others: grouping.others });
  const visibleCount = partial.visible.length;
  const groupBy = grouping.columns.map(
    (column, index): SortKey => ({
      ...column.key,
      column: visibleCount + (groupColumns[index] ?? 0),
    }),
  );
  const query = rewriteQuery(context, {
    ...without(select, 'sortClause', 'limitCount', 'limitOffset'),
    limitOption: 'LIMIT_OPTION_DEFAULT',
    targetList: [
      ...partial.visible.map((expression) => target(expression)),
      ...hiddenTargets(partial.hidden),
    ],
    ...(groups.length === 0 ? {} : { groupClause: groups }),
    ...(groupBy.length === 0 ? {} : { sortClause: groupBy.map(sortByColumn) }),
  });
  if (query.kind === 'reject') return query;
  const route = routeOf(query, visibleCount, partial.hidden.length);
  const input: PlanNode =
    groupBy.length === 0
      ? { kind: 'append', input: route }
      : { kind: 'merge-append', input: route, keys: groupBy };
  const aggregate: PlanNode = {
    kind: 'aggregate',
    input,
    groupBy,
    outputs: partial.outputs(),
    carry: sorting.carry.map((hidden) => visibleCount + hidden),
  };
  const sorted: PlanNode =
    sorting.keys.length === 0 ? aggregate : { kind: 'sort', input: aggregate, keys: sorting.keys };
  return withLimit(sorted, refs);
}

type KnownOutput = Output & { readonly expression: SqlNode };

function knownOutputs({ outputs }: SelectBody): readonly KnownOutput[] {
  return (outputs ?? []).map(({ expression, column }) => {
    if (expression === null) throw unknownColumns();
    return { expression, column };
  });
}

const oneKey = 'Restrict the statement to one key, or group by the key.';

function refuseUnmergeable(select: SelectNode): void {
  if (select.havingClause !== undefined) {
    throw refusal('HAVING over groups of several shards is not supported', oneKey);
  }
  if (returnsSets([select.targetList, select.sortClause])) {
    throw refusal('a set-returning function over aggregates of several shards', oneKey);
  }
  walk([select.targetList, select.groupClause, select.sortClause], (node) => {
    if ('SubLink' in node && !readsResultOnly(node.SubLink)) {
      throw refusal('a subquery beside aggregates of several shards is not supported', oneKey);
    }
    return true;
  });
}

function isConstant(expression: SqlNode): boolean {
  const isSlot = 'ParamRef' in expression && slotOf(expression.ParamRef.number ?? 0) !== null;
  return isSlot || 'A_Const' in expression;
}

function unknownGroup() {
  return refusal('this GROUP BY is not supported across shards', 'Group by plain expressions.');
}

type Sorting = {
  readonly keys: readonly SortKey[];
  /** Hidden columns, counted from the first hidden one. */
  readonly carry: readonly number[];
};

/** ORDER BY of anything but the groups: the folded rows are sorted as a whole. */
function sortAbove(
  context: StatementContext,
  body: SelectBody,
  parts: {
    readonly outputs: readonly KnownOutput[];
    readonly partial: PartialColumns;
    readonly others: readonly SqlNode[];
  },
): Sorting {
  if (parts.others.length === 0) return { keys: [], carry: [] };
  const { outputs, partial } = parts;
  const carry: number[] = [];
  const keys = (body.select.sortClause ?? []).map((node): SortKey => {
    const sorted = 'SortBy' in node ? node.SortBy.node : undefined;
    const expression = sorted === undefined ? null : sortExpression(sorted, outputs);
    if (expression === null) throw unknownColumns();
    const direction = directionOf(node);
    if (callsIn(expression).aggregates.length === 0) {
      const { expression: copy, key } = orderKey(context, body.scope, expression, direction);
      carry.push(partial.addHidden(copy));
      return { ...key, column: outputs.length + carry.length - 1 };
    }
    const index = outputs.findIndex((output) => sameExpression(output.expression, expression));
    if (index === -1) {
      throw refusal(
        'ordering by an aggregate that is not selected is not supported across shards',
        'Add it to the select list.',
      );
    }
    const { key } = orderKey(context, body.scope, partial.sortedArgument(index), direction);
    return { ...key, label: outputs[index]?.column.name ?? key.label, column: index };
  });
  return { keys, carry };
}
