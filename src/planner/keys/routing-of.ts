import { demandFunctionReach } from '../function-reach.ts';
import type { Routing } from '../plan.ts';
import { refusal } from '../refuse.ts';
import type { StatementContext } from '../statement-context.ts';

/** Where the analysed statement must go. Throws when a table was left out of the analysis. */
export function routingOf(context: StatementContext): Routing {
  context.requireAllVisited();
  context.settleParameters();
  const groups = context.ties.groups();
  demandFunctionReach(context, groups.length === 0);
  const { homeFunction } = context;
  if (groups.length > 0 && homeFunction !== null) {
    throw refusal(
      `function ${homeFunction} in a statement with distributed tables is not supported`,
      'It must run on the home shard: select its arguments first, then call it by itself.',
    );
  }
  if (groups.length > 0) return { kind: 'by-key', groups, withHome: context.usesHome };
  const isOfHome = context.usesHome || context.readsTableOid;
  if (context.usesReference && !isOfHome) return { kind: 'any' };
  return { kind: 'home', anywhere: !isOfHome && context.multiRefusal === null };
}
