import type { FunctionCallNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import { callsIn } from '../aggregate-calls.ts';
import { resolveColumn, type Scope } from '../scope.ts';
import { hasGroupingSets } from './group-clause.ts';
import type { KnownBody } from './known-body.ts';

/**
 * Whether shards may count distinct keys by themselves: a key lies on one of them. Not where they
 * return parts of groups, which is what other DISTINCT aggregates and GROUPING SETS need: a key
 * could stand in several.
 */
export function countsKeysOnce(body: KnownBody): boolean {
  if (hasGroupingSets(body)) return false;
  const { targetList, havingClause, sortClause, distinctClause, windowClause } = body.select;
  const clauses = [targetList, havingClause, sortClause, distinctClause, windowClause];
  const distinct = callsIn(clauses).aggregates.filter((each) => each.agg_distinct === true);
  return distinct.every((each) => isOfKey(body.scope, each));
}

/** `count(DISTINCT key)`, `sum(DISTINCT key)`. */
export function isOfKey(
  scope: Scope,
  { funcname, args = [], agg_order, userFunction }: FunctionCallNode,
): boolean {
  const [argument, ...more] = args;
  if (
    userFunction !== undefined ||
    argument === undefined ||
    more.length > 0 ||
    agg_order !== undefined
  )
    return false;
  if (!['count', 'sum'].includes(builtinName(funcname) ?? '')) return false;
  const column = resolveColumn({ from: scope.from, parent: null }, argument);
  return column?.keys.some((key) => key.exact) === true;
}
