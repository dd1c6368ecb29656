import type { SqlNode } from '../../sql/ast.ts';
import { tagOf } from '../../sql/walk.ts';
import { planCopy } from '../copy/plan-copy.ts';
import { refuseSessionFunctions } from '../note-session-function.ts';
import type { Plan } from '../plan.ts';
import type { PlanRequest } from '../plan-request.ts';
import { refuse } from '../refuse.ts';
import { relationOf } from '../relation-item.ts';
import type { SessionEffect } from '../session-effect.ts';
import type { StatementContext } from '../statement-context.ts';
import { planUtilityShards } from '../utility/plan-utility-shards.ts';
import { rangeVarsIn } from '../utility/utility-subjects.ts';
import { explainText } from './explain-text.ts';
import { planCursor } from './plan-cursor.ts';
import { planPrepared } from './plan-prepared.ts';
import { planSetting } from './plan-setting.ts';
import { planTemporary } from './plan-temporary.ts';
import { planTransaction } from './plan-transaction.ts';
import { statementName } from './statement-name.ts';

/** Statements that run on the home shard whatever they name; no table is in them. */
const anywhere: {
  readonly [tag: string]: { readonly tag: string; readonly effect?: SessionEffect };
} = {
  VariableShowStmt: { tag: 'SHOW' },
  NotifyStmt: { tag: 'NOTIFY' },
  ListenStmt: { tag: 'LISTEN', effect: { kind: 'keeps', temporary: false } },
  UnlistenStmt: { tag: 'UNLISTEN', effect: { kind: 'ends' } },
};

const hints: { readonly [tag: string]: string } = {
  CreateSchemaStmt: 'Create its objects in statements of their own.',
};

const everyShard = 'Run it on every shard, connected to the server itself.';

/** Everything but SELECT, INSERT, UPDATE, DELETE and MERGE. */
export function planUtility(
  request: PlanRequest,
  context: StatementContext,
  statement: SqlNode,
): Plan {
  if ('TransactionStmt' in statement) return planTransaction(statement.TransactionStmt);
  if ('VariableSetStmt' in statement) return planSetting(statement.VariableSetStmt);
  if ('DiscardStmt' in statement) {
    return statement.DiscardStmt.target === 'DISCARD_ALL'
      ? { kind: 'setting', command: { kind: 'discard-all' } }
      : {
          kind: 'utility',
          tag:
            statement.DiscardStmt.target === 'DISCARD_SEQUENCES' ? 'DISCARD SEQUENCES' : 'DISCARD',
          changesSchema: false,
          everyShard: null,
          effect: { kind: 'ends' },
        };
  }
  if ('ExplainStmt' in statement) return planExplain(request, statement);
  const { lexed, text } = request;
  const cursor = planCursor(statement, text.slice(lexed.start, lexed.end));
  if (cursor !== null) return cursor;
  const prepared = planPrepared(statement, text.slice(lexed.start, lexed.end));
  if (prepared !== null) return prepared;
  refuseSessionFunctions(statement);
  if ('CopyStmt' in statement) {
    const copy = planCopy(context, statement.CopyStmt, text.slice(lexed.start, lexed.end));
    if (copy !== null) return copy;
  }
  const tag = tagOf(statement);
  const name = statementName(request.lexed.fingerprint);
  const atHome = anywhere[tag];
  if (atHome !== undefined) {
    return { kind: 'utility', changesSchema: false, everyShard: null, ...atHome };
  }
  const temporary = planTemporary(request, context, statement, name);
  if (temporary !== null) return temporary;
  if ('CopyStmt' in statement || 'TruncateStmt' in statement) {
    const tables = rangeVarsIn(statement).map((node) => relationOf(context, node));
    const isSharded = tables.some((table) => table !== null && table.sharding.kind !== 'local');
    if (!isSharded) return { kind: 'utility', tag: name, changesSchema: false, everyShard: null };
    return refuse(`${name} of a sharded table is not supported`, everyShard);
  }
  return (
    planUtilityShards(request, statement, name) ??
    refuse(`${name} is not supported`, hints[tag] ?? everyShard)
  );
}

function planExplain(
  request: PlanRequest,
  statement: Extract<SqlNode, { ExplainStmt: unknown }>,
): Plan {
  const { lexed, text } = request;
  const parts = explainText(text.slice(lexed.start, lexed.end));
  if (parts === null) return refuse('EXPLAIN with comments between its options', 'Leave them out.');
  let analyze = false;
  for (const option of statement.ExplainStmt.options ?? []) {
    if (!('DefElem' in option) || option.DefElem.defname !== 'analyze') continue;
    const { arg } = option.DefElem;
    analyze = arg === undefined || !isOff(arg);
  }
  return { kind: 'explain', analyze, ...parts };
}

function isOff(node: SqlNode): boolean {
  if ('String' in node) return /^(?:off|false|no|0)$/i.test(node.String.sval ?? '');
  return 'Integer' in node && (node.Integer.ival ?? 0) === 0;
}
