import { internalExchange } from '../executor/internal-exchange.ts';
import type { PlannedStatement } from '../executor/planned-statement.ts';
import { isPlain } from '../executor/session/session-effects.ts';
import { encodeClose } from '../protocol/close-message.ts';
import { syncMessage } from '../protocol/constant-messages.ts';
import type { BatchStep } from './batch-step.ts';
import type { Portal } from './prepared-statement.ts';

/**
 * What the client's unnamed portal is called on a server while it stays open there: a Query of
 * ours (what a function has set, where a sequence stands), or a Bind, would destroy an unnamed one.
 * A session has one at most.
 */
export const openName = '__pgweave_open';

/**
 * Whether a portal that is bound in a block, by one of these steps, has rows to give after them, or
 * is at once followed by a Query of ours. What gives no rows keeps its name, which an error may tell.
 */
export function staysOpen(portal: Portal, steps: readonly BatchStep[]): boolean {
  if (portal.name !== '' || !returnsRows(portal.statement.planned)) return false;
  if (!isPlain(portal.statement.planned.plan)) return true;
  return !steps.some(
    (step) => step.kind === 'execute' && step.rowsMax === 0 && step.portal === portal,
  );
}

/** More than do it is no harm. */
function returnsRows({ plan, text }: PlannedStatement): boolean {
  return plan.kind === 'select' || (plan.kind === 'modify' && /returning/i.test(text));
}

/** The message that closes it on the server; null: there is no need. */
export function closeOpenName({ name, serverName }: Portal): Buffer | null {
  return name === serverName ? null : encodeClose({ kind: 'portal', name: serverName });
}

/** The client has no such portal any more, though its block goes on. */
export function releaseOpenName(portal: Portal): void {
  const close = closeOpenName(portal);
  if (close === null || portal.boundOn?.alive !== true) return;
  // Nobody waits for it: what is sent next comes behind it.
  portal.boundOn.send(
    internalExchange(() => {}),
    [close, syncMessage],
  );
}
