import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { walk } from '../../sql/walk.ts';
import { isDeterministicCall, isHarmlessCall } from '../function-traits.ts';
import { sortExpression } from '../listed-expression.ts';
import { returnsSets } from '../one-pass/rows-of-shards.ts';
import type { StatementContext } from '../statement-context.ts';
import { ExpressionFacts } from './expression-facts.ts';
import type { Below } from './final-select.ts';
import type { KnownBody } from './known-body.ts';
import { isComputedBelow } from './row-units.ts';
import { shardLimit } from './shard-limit.ts';

/**
 * ORDER BY and LIMIT for the shards, where each row that they send is one row of the answer: those
 * that none of a shard's own rows keep out of it. Nothing where all rows are needed.
 */
export function topRows(
  context: StatementContext,
  body: KnownBody,
  below: Below,
): Pick<SelectNode, 'sortClause' | 'limitCount' | 'limitOption'> {
  const { select, traits } = body;
  const limit = shardLimit(context, select);
  const isCombined =
    traits.distinct !== 'none' ||
    (traits.aggregation !== 'none' && !below.groups) ||
    (traits.windows !== 'none' && !below.windows);
  if (limit === null || isCombined || changesRowCount(body)) return {};
  const facts = new ExpressionFacts();
  const sortClause: SqlNode[] = [];
  for (const node of select.sortClause ?? []) {
    if (!('SortBy' in node) || node.SortBy.node === undefined) return {};
    const expression = sortExpression(node.SortBy.node, body.outputs);
    if (expression === null) return {};
    // count(*) names no column and is no constant.
    const isCounted = facts.isGrouped(expression) || facts.hasWindow(expression);
    if (!isCounted && facts.isFixed(expression) && facts.isPure(expression)) continue;
    if (!isComputedBelow(facts, expression, below)) return {};
    sortClause.push({ SortBy: { ...node.SortBy, node: expression } });
  }
  const { limitOption = 'LIMIT_OPTION_COUNT' } = select;
  if (sortClause.length > 0) return { sortClause, limitCount: limit, limitOption };
  // All rows tie.
  return limitOption === 'LIMIT_OPTION_WITH_TIES' ? {} : { limitCount: limit, limitOption };
}

/** A set-returning function does; so would an aggregate that is not known as one. */
function changesRowCount({ outputs, select }: KnownBody): boolean {
  const expressions = [outputs.map((output) => output.expression), select.sortClause];
  let hasUnknown = false;
  walk(expressions, (node) => {
    const call = 'FuncCall' in node ? node.FuncCall : null;
    if (call !== null && !isDeterministicCall(call) && !isHarmlessCall(call)) hasUnknown = true;
    return !hasUnknown && !('SubLink' in node);
  });
  return hasUnknown || returnsSets(expressions);
}
