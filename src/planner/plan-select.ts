import type { SelectNode } from '../sql/ast.ts';
import { queryBlocks } from './analyze-write.ts';
import { multiShardSelect } from './multi-shard-select.ts';
import type { MultiShardPlan, Plan, PlanNode, Reject, Routing } from './plan.ts';
import { refusal, refuse } from './refuse.ts';
import { relationOf } from './relation-item.ts';
import { routingOf } from './routing-of.ts';
import type { StatementContext } from './statement-context.ts';
import { noteStatementFacts } from './statement-facts.ts';

/** SELECT, VALUES, TABLE and set operations, with whatever their WITH holds. */
export function planSelect(context: StatementContext, select: SelectNode): Plan {
  const harmless = noteStatementFacts(context, { SelectStmt: select });
  const block = queryBlocks.select(context, select, null, null);
  const into = select.intoClause;
  if (into?.rel !== undefined) relationOf(context, into.rel);
  const routing = routingOf(context);
  if (into !== undefined) {
    if (routing.kind !== 'home') throw refusal('SELECT INTO from sharded tables', intoHint);
    return { kind: 'utility', tag: 'SELECT', changesSchema: true };
  }
  const multi =
    routing.kind === 'by-key'
      ? planned(routing, multiShardSelect(context, block))
      : refuse('a statement without distributed tables runs on one shard');
  return { kind: 'select', routing, multi, readOnly: harmless && !context.writes };
}

function planned(routing: Routing, root: PlanNode | Reject): MultiShardPlan | Reject {
  if (root.kind === 'reject') return root;
  return { kind: 'multi-shard', intermediate: [], routing, root };
}

const intoHint = 'Create the table, then INSERT what SELECT returns.';
