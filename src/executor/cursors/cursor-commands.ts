import { unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CursorCommand } from '../../planner/commands/cursor-command.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { reviewReservations } from '../session/review-reservations.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { StatementRun } from '../statement-run.ts';
import { inBlock } from '../transaction/in-block.ts';
import { cursorFlight } from './cursor-flight.ts';
import { declareCursor } from './declare-cursor.ts';
import { fetchCursor } from './fetch-cursor.ts';
import { findCursor } from './find-cursor.ts';

type Done = (ok: boolean) => void;

/** DECLARE, FETCH, MOVE and CLOSE for one session. */
export function runCursorCommand(
  executor: SessionExecutor,
  run: StatementRun,
  command: CursorCommand,
  done: Done,
): void {
  switch (command.kind) {
    case 'declare':
      declareCursor(executor, run, command, done);
      return;
    case 'fetch':
      fetchCursor(executor, run, command, done);
      return;
    case 'close':
      if (command.name === null) closeAll(executor, done);
      else closeOne(executor, run, command.name, done);
      return;
    default:
      unreachable(command);
  }
}

function closeOne(executor: SessionExecutor, run: StatementRun, name: string, done: Done): void {
  const cursor = findCursor(executor, name);
  if (cursor === null) {
    executor.fail(noCursor(name), done);
    return;
  }
  const { transaction } = executor;
  const close = () => {
    executor.cursors.close(name);
    executor.session.portal(name)?.close();
  };
  if (cursor.kind === 'shard') {
    executor.runFlight(cursorFlight(run, cursor.shard, false), (ok) => {
      if (ok) close();
      if (ok && transaction.block === 'none') reviewReservations(executor, () => done(true));
      else done(ok);
    });
    return;
  }
  close();
  executor.succeed(encodeCommandComplete('CLOSE CURSOR'), done);
}

/** Portals of the protocol are closed, too. */
function closeAll(executor: SessionExecutor, done: Done): void {
  const { transaction, cursors } = executor;
  const [held] = cursors.heldOn.filter((shard) => !transaction.participants.has(shard));
  if (held !== undefined) {
    inBlock(executor);
    const wanted = { shard: held, write: false, share: false, rowless: true };
    executor.acquire(wanted, done, (_, release) => {
      release();
      closeAll(executor, done);
    });
    return;
  }
  executor.session.closePortals();
  cursors.closeAll();
  executor.transaction.broadcast('CLOSE ALL', null, (lost) => {
    if (lost === null) executor.succeed(encodeCommandComplete('CLOSE CURSOR ALL'), done);
    else executor.fail(lost, done);
  });
}

function noCursor(name: string): PgError {
  return new PgError(SqlState.invalidCursorName, `cursor "${name}" does not exist`);
}
