import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CursorCommand } from '../../planner/commands/cursor-command.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import type { ClientPortal } from '../session/session-events.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { cannotBeRun, notBack } from './cursor-refusals.ts';
import { cursorWalk } from './cursor-walk.ts';

type Fetch = Extract<CursorCommand, { readonly kind: 'fetch' }>;

/**
 * MOVE in a portal of Bind over several shards, whose next Execute goes on behind it. Such portals
 * only go forward, in PostgreSQL, too. FETCH, in other formats than Bind's perhaps, is refused.
 */
export function movePortal(
  executor: SessionExecutor,
  command: Fetch,
  { open }: ClientPortal,
  done: (ok: boolean) => void,
): void {
  const portal = command.move ? open() : null;
  if (portal === null) {
    executor.fail(notSupported(), done);
    return;
  }
  if (portal.hasFailed) {
    executor.fail(cannotBeRun(command.name), done);
    return;
  }
  const moved = (rows: number) => executor.succeed(encodeCommandComplete(`MOVE ${rows}`), done);
  const walk = cursorWalk(command, portal.place);
  switch (walk.kind) {
    case 'stay':
      moved(walk.rows);
      return;
    case 'backward':
      portal.fail();
      executor.fail(notBack(), done);
      return;
    case 'forward': {
      const { skip, count } = walk;
      portal.move(skip + count, (rows) => {
        if (rows === null) done(false);
        else moved(Math.max(0, rows - skip));
      });
      return;
    }
  }
}

function notSupported(): PgError {
  const message = 'FETCH from a portal over several shards is not supported';
  const hint = 'Read it with Execute and a row limit.';
  return new PgError(SqlState.featureNotSupported, message, { hint });
}
