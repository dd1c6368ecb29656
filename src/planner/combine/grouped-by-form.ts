import type { SqlNode } from '../../sql/ast.ts';
import { walk } from '../../sql/walk.ts';
import { isAggregateCall } from '../aggregate-calls.ts';
import { isListed, listedNodes } from './final-select.ts';
import { GroupKeys } from './group-keys.ts';
import type { KnownBody } from './known-body.ts';

/**
 * Whether all columns outside of aggregates stand in expressions that have the form of a grouping
 * expression. A primary key in GROUP BY allows others, but a result has no primary key.
 */
export function isGroupedByForm(body: KnownBody, groups: readonly SqlNode[]): boolean {
  const { select, scope, outputs } = body;
  const keys = new GroupKeys(scope);
  for (const expression of groups) keys.add(expression, expression);
  const listed = listedNodes(select).filter((node) => !isListed(body, node));
  let answer = true;
  walk(
    [outputs.map((output) => output.expression), listed, select.havingClause, select.windowClause],
    (node) => {
      if ('FuncCall' in node && isAggregateCall(node.FuncCall)) return false;
      if (keys.mayBeKey(node)) return false;
      if ('ColumnRef' in node) answer = false;
      return answer && !('SubLink' in node);
    },
  );
  return answer;
}
