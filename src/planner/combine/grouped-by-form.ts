import type { SqlNode } from '../../sql/ast.ts';
import { walk } from '../../sql/walk.ts';
import { isAggregateCall } from '../aggregate-calls.ts';
import { isValue } from './expression-facts.ts';
import { isListed, listedNodes } from './final-select.ts';
import type { KnownBody } from './known-body.ts';
import { slotlessForm } from './normal-form.ts';

/**
 * Whether all columns outside of aggregates stand in expressions that have the form of a grouping
 * expression. A primary key in GROUP BY allows others, but a result has no primary key.
 */
export function isGroupedByForm(body: KnownBody, groups: readonly SqlNode[]): boolean {
  const { select, scope, outputs } = body;
  const forms = new Set(groups.map((expression) => slotlessForm(scope, expression)));
  const listed = listedNodes(select).filter((node) => !isListed(body, node));
  let answer = true;
  walk(
    [outputs.map((output) => output.expression), listed, select.havingClause, select.windowClause],
    (node) => {
      if ('FuncCall' in node && isAggregateCall(node.FuncCall)) return false;
      if (isValue(node) && forms.has(slotlessForm(scope, node))) return false;
      if ('ColumnRef' in node) answer = false;
      return answer && !('SubLink' in node);
    },
  );
  return answer;
}
