import type { SelectNode } from '../sql/ast.ts';
import { analyze } from './analysis.ts';
import { creation } from './commands/plan-temporary.ts';
import { expandViews } from './expand-views.ts';
import { intoClause } from './into-clause.ts';
import { routingOf } from './keys/routing-of.ts';
import { lockingSelect, lockRouting } from './one-pass/locking-select.ts';
import type { Plan } from './plan.ts';
import { planMultiShard } from './plan-multi-shard.ts';
import { refusal, refuse } from './refuse.ts';
import { relationOf } from './relation-item.ts';
import type { StatementSource } from './statement-context.ts';

/** SELECT, VALUES, TABLE and set operations, with whatever their WITH holds. */
export function planSelect(source: StatementSource, select: SelectNode): Plan {
  const asked = analyze(source, select);
  const analysis = expandViews(asked);
  const { context } = analysis;
  const into = intoClause(select)?.into;
  if (into?.rel !== undefined) relationOf(context, into.rel);
  const routing = routingOf(context);
  if (into !== undefined) {
    const { rel } = into;
    if (context.effect !== null) {
      const hint = 'Create the table, then INSERT what SELECT returns.';
      throw refusal('SELECT INTO with session functions', hint);
    }
    const changes = rel === undefined ? { changesSchema: true } : creation(context, rel);
    return { kind: 'utility', tag: 'SELECT', everyShard: null, ...changes };
  }
  const locks = (select.lockingClause ?? []).length > 0;
  const plan = locks ? lockingSelect : planMultiShard;
  const multi =
    routing.kind === 'by-key'
      ? plan(analysis)
      : refuse('a statement without distributed tables runs on one shard');
  const readOnly = analysis.isHarmless;
  return {
    kind: 'select',
    routing: locks ? lockRouting(routing) : routing,
    multi,
    expandsViews: analysis !== asked,
    readOnly,
    ...(context.effect === null ? {} : { effect: context.effect }),
  };
}
