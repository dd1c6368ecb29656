import { PgError } from '../../base/pg-error.ts';
import type { SqlNode } from '../../sql/ast.ts';
import type { Plan } from '../plan.ts';
import { planSelect } from '../plan-select.ts';
import { refuse } from '../refuse.ts';
import type { StatementSource } from '../statement-context.ts';
import { isOfOneKey } from './is-of-one-key.ts';
import { planOfParts, planWithWrites } from './plan-with-writes.ts';
import { planPlain } from './plan-write.ts';
import { withWritesOf } from './with-writes.ts';

/** SELECT whose WITH writes; null for every other one. */
export function planWritingSelect(
  source: StatementSource,
  statement: Extract<SqlNode, { readonly SelectStmt: unknown }>,
): Plan | null {
  const parts = withWritesOf(statement);
  if (parts === null) return null;
  const multi = planWithWrites(source, parts, planPlain);
  try {
    const plan = planSelect(source, statement.SelectStmt);
    if (plan.kind !== 'select') return plan;
    const { routing, effect, expandsViews } = plan;
    const rest = isOfOneKey(routing) ? refuse('one shard has all that it concerns') : multi;
    const modify = { kind: 'modify', command: 'select', routing, isWhole: !expandsViews } as const;
    return { ...modify, multi: rest, ...(effect === undefined ? {} : { effect }) };
  } catch (error) {
    if (error instanceof PgError && multi.kind !== 'reject') return planOfParts('select', multi);
    throw error;
  }
}
