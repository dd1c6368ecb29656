import type { SelectBody } from '../block.ts';
import { sortExpression } from '../listed-expression.ts';
import type { PlanNode, Reject } from '../plan.ts';
import { refusal } from '../refuse.ts';
import { rewriteQuery } from '../rewrite-query.ts';
import type { StatementContext } from '../statement-context.ts';
import { hiddenTargets, sortByColumn, without } from '../tree-builders.ts';
import { groupingOrder } from './grouping-order.ts';
import { limitRefs, withLimit } from './limit-refs.ts';
import { returnsSets, routeOf, unknownColumns } from './rows-of-shards.ts';

/** DISTINCT: rows merged on all their columns, neighbours folded. */
export function distinctOverShards(context: StatementContext, body: SelectBody): PlanNode | Reject {
  const { select, outputs, traits } = body;
  if (traits.distinctOn) {
    throw refusal(
      'DISTINCT ON over rows of several shards is not supported',
      'Put the key into DISTINCT ON, or restrict the statement to one key.',
    );
  }
  if (outputs === null) throw unknownColumns();
  const expressions = outputs.map((output) => {
    if (output.expression === null) throw unknownColumns();
    return output.expression;
  });
  if (returnsSets(expressions)) {
    throw refusal('DISTINCT over a set-returning function is not supported', 'Use a subquery.');
  }
  const refs = limitRefs(context, select);
  const order = groupingOrder(context, body.scope, expressions, select.sortClause ?? [], (node) =>
    sortExpression(node, outputs),
  );
  if (order.others.length > 0) {
    throw refusal(
      'ordering DISTINCT rows of several shards by what is not selected is not supported',
      'Order by columns of the select list, by their names or positions.',
    );
  }
  const keys = order.columns.map((column, index) => ({
    ...column.key,
    column: outputs.length + index,
  }));
  const hidden = hiddenTargets(order.columns.map((column) => column.expression));
  const rewritten = rewriteQuery(context, {
    ...without(select, 'limitCount', 'limitOffset'),
    limitOption: 'LIMIT_OPTION_DEFAULT',
    targetList: [...(select.targetList ?? []), ...hidden],
    sortClause: keys.map(sortByColumn),
  });
  if (rewritten.kind === 'reject') return rewritten;
  const route = routeOf(rewritten, outputs.length, keys.length);
  return withLimit(
    {
      kind: 'aggregate',
      input: { kind: 'merge-append', input: route, keys },
      groupBy: keys,
      outputs: outputs.map((_, index) => ({ kind: 'group', visible: index })),
      carry: [],
    },
    refs,
  );
}
