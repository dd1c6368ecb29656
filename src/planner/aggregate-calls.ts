import type { FunctionCallNode, JsonArrayAggNode, SqlNode } from '../sql/ast.ts';
import { builtinName } from '../sql/names.ts';
import { walk } from '../sql/walk.ts';

const aggregates = new Set(
  (
    'any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop ' +
    'covar_samp cume_dist dense_rank every json_agg json_agg_strict json_object_agg ' +
    'json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict jsonb_agg ' +
    'jsonb_agg_strict jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique ' +
    'jsonb_object_agg_unique_strict max min mode percent_rank percentile_cont percentile_disc ' +
    'range_agg range_intersect_agg rank regr_avgx regr_avgy regr_count regr_intercept regr_r2 ' +
    'regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop stddev_samp string_agg sum var_pop ' +
    'var_samp variance xmlagg'
  ).split(' '),
);

/** A call of one of PostgreSQL's aggregates that is not a window function. */
export function isAggregateCall(call: FunctionCallNode): boolean {
  if (call.over !== undefined) return false;
  if (call.userFunction === 'aggregate') return true;
  if (call.agg_star === true || call.agg_distinct === true) return true;
  if (call.agg_within_group === true || call.agg_filter !== undefined) return true;
  return aggregates.has(builtinName(call.funcname) ?? '') || (call.agg_order ?? []).length > 0;
}

/**
 * JSON_ARRAYAGG or JSON_OBJECTAGG as the call of a function that reads the same rows in the same way;
 * null for every other node.
 */
export function standardAggregate(node: SqlNode): FunctionCallNode | null {
  if ('JsonArrayAgg' in node) {
    const { constructor: clauses, arg } = node.JsonArrayAgg;
    return callLike('json_agg', arg?.raw_expr, clauses);
  }
  if (!('JsonObjectAgg' in node)) return null;
  const { constructor: clauses, arg } = node.JsonObjectAgg;
  return callLike(
    'json_object_agg',
    arg === undefined ? undefined : { JsonKeyValue: arg },
    clauses,
  );
}

function callLike(
  name: string,
  argument: SqlNode | undefined,
  clauses: JsonArrayAggNode['constructor'],
): FunctionCallNode {
  const { agg_filter, agg_order, over } = clauses ?? {};
  return {
    funcname: [{ String: { sval: name } }],
    args: argument === undefined ? [] : [argument],
    ...(agg_filter === undefined ? {} : { agg_filter }),
    ...(agg_order === undefined ? {} : { agg_order }),
    ...(over === undefined ? {} : { over }),
    funcformat: 'COERCE_EXPLICIT_CALL',
  };
}

export type Calls = {
  readonly aggregates: readonly FunctionCallNode[];
  readonly windows: readonly FunctionCallNode[];
};

/** The aggregate and window calls in the expressions of one query, not those in its subqueries. */
export function callsIn(expressions: unknown): Calls {
  const found = { aggregates: [] as FunctionCallNode[], windows: [] as FunctionCallNode[] };
  const visit = (node: SqlNode): boolean => {
    // What is looked for in a subquery's rows is computed outside of it.
    if ('SubLink' in node) walk(node.SubLink.testexpr, visit);
    if ('SubLink' in node || 'SelectStmt' in node) return false;
    const call = 'FuncCall' in node ? node.FuncCall : standardAggregate(node);
    if (call !== null) {
      if (call.over !== undefined) found.windows.push(call);
      else if (isAggregateCall(call)) found.aggregates.push(call);
    }
    return true;
  };
  walk(expressions, visit);
  return found;
}
