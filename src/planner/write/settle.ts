import type { SelectNode } from '../../sql/ast.ts';
import { type Analysis, analyze } from '../analysis.ts';
import { routingOf } from '../keys/routing-of.ts';
import type { Reject } from '../plan.ts';
import { shipOne, withStableValues } from '../plan-multi-shard.ts';
import { refuse } from '../refuse.ts';
import type { StatementSource } from '../statement-context.ts';

/** Each step replaces a part by a result; a statement that needs more is refused. */
const stepsMax = 60;

/**
 * Collects parts of the query first, until the rest of it can run where the written rows are: then
 * `isReached` holds.
 */
export function settle(
  source: StatementSource,
  select: SelectNode,
  isReached: (analysis: Analysis) => boolean,
): Analysis | Reject {
  const direct = analyze(source, select);
  if (isReached(direct)) return direct;
  const reason = direct.context.multiRefusal;
  let current = withStableValues(direct);
  for (let step = 0; step < stepsMax; step += 1) {
    if (isReached(current)) return current;
    if (current.context.neverMulti !== null) return current.context.neverMulti;
    const next = shipOne(source, current);
    if (next === null) return current.context.multiRefusal ?? reason ?? notTogether(current);
    current = next;
  }
  return refuse('the statement is too complex for several shards');
}

/** No table of several shards is left in it. */
export function isOfOneServer({ context }: Analysis): boolean {
  return routingOf(context).kind !== 'by-key';
}

function notTogether({ context }: Analysis): Reject {
  const names = context.leaves.map(({ relation }) => `"${relation.name}"`).join(' and ');
  return refuse(
    `a write that needs rows of ${names} of other shards in a way that cannot be collected first`,
    'Read them first, or restrict every distributed table in it to one key.',
  );
}
