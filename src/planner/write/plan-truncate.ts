import type { SqlNode } from '../../sql/ast.ts';
import type { Plan } from '../plan.ts';
import { refusal } from '../refuse.ts';
import { relationOf } from '../relation-item.ts';
import type { StatementContext } from '../statement-context.ts';
import { fullName } from './full-name.ts';
import { writeRoute } from './write-route.ts';

/** TRUNCATE of sharded tables, on every shard; null for every other statement. */
export function planTruncate(context: StatementContext, statement: SqlNode): Plan | null {
  if (!('TruncateStmt' in statement)) return null;
  const relations = (statement.TruncateStmt.relations ?? []).map((node) =>
    'RangeVar' in node ? relationOf(context, node.RangeVar) : null,
  );
  const sharded = relations.flatMap((relation) =>
    relation === null || relation.sharding.kind === 'local' ? [] : [relation],
  );
  if (sharded.length === 0) return null;
  if (sharded.length < relations.length) {
    throw refusal(
      'TRUNCATE of tables of the home shard together with sharded tables is not supported',
      'Truncate them one after the other in a transaction.',
    );
  }
  const tables = sharded.map(fullName).sort();
  const route = writeRoute({ kind: 'as-received' });
  return {
    kind: 'modify',
    command: 'truncate',
    routing: { kind: 'any' },
    isWhole: false,
    multi: {
      kind: 'write',
      before: [],
      intermediate: [],
      step: { kind: 'copies', tables, route },
      isUnconditional: false,
      returnsRows: false,
      changesRows: true,
    },
  };
}
