import type { ClientPortal } from '../executor/session/session-events.ts';
import type { SessionExecutor } from '../executor/session-executor.ts';
import type { Portal } from './prepared-statement.ts';
import { openPortal } from './run-portal.ts';

/** A portal of Bind, for SQL's FETCH, MOVE and CLOSE; `close` forgets it. */
export function clientPortal(
  executor: SessionExecutor,
  portal: Portal,
  close: () => void,
): ClientPortal {
  const { target } = portal;
  return {
    shard: target?.kind === 'shard' ? target.shard : null,
    open: () => (target?.kind === 'multi-shard' ? openPortal(executor, portal, false) : null),
    close,
  };
}
