import type { FunctionCallNode, SelectNode } from '../../sql/ast.ts';
import { callsIn } from '../aggregate-calls.ts';
import { isOrderedAggregate } from '../function-traits.ts';

/**
 * `SELECT ... FROM (SELECT ... ORDER BY ...)`: the standard says nothing about the order of its rows,
 * but PostgreSQL leaves it as it is (manual, 9.21), and many a LIMIT is written on top of it. Whether
 * the answer depends on the order of the rows that a query reads.
 */
export function dependsOnOrderOfRows(select: SelectNode): boolean {
  const { aggregates, windows } = callsIn([select.targetList, select.sortClause]);
  const isInOrder = (call: FunctionCallNode) =>
    (call.agg_order ?? []).length === 0 && call.agg_within_group !== true;
  if (aggregates.some((call) => dependsOnOrder(call) && isInOrder(call))) return true;
  if (windows.some(({ over }) => (over?.orderClause ?? []).length === 0)) return true;
  return select.sortClause === undefined && keepsOrderOfRows(select);
}

/** Without an ORDER BY of its own its rows come in the order in which it reads others. */
export function keepsOrderOfRows(select: SelectNode): boolean {
  const { groupClause, havingClause, distinctClause } = select;
  const { aggregates, windows } = callsIn(select.targetList);
  const isEach = [groupClause, havingClause, distinctClause].every((each) => each === undefined);
  return isEach && aggregates.length + windows.length === 0;
}

/** The aggregate's result may be another one when its rows come in another order. */
export function dependsOnOrder(call: FunctionCallNode): boolean {
  return isOrderedAggregate(call);
}
