import { unreachable } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { CursorCommand } from '../planner/cursor-command.ts';
import { encodeCommandComplete } from '../protocol/command-complete.ts';
import { cursorFlight } from './cursor-flight.ts';
import { cursorWalk } from './cursor-walk.ts';
import { findCursor } from './find-cursor.ts';
import type { ForwardCursor } from './forward-cursor.ts';
import type { SessionExecutor } from './session-executor.ts';
import type { StatementRun } from './statement-run.ts';

type Done = (ok: boolean) => void;
type Fetch = Extract<CursorCommand, { readonly kind: 'fetch' }>;

/** FETCH and MOVE: where the cursor is, there the statement goes. */
export function fetchCursor(
  executor: SessionExecutor,
  run: StatementRun,
  command: Fetch,
  done: Done,
): void {
  const cursor = findCursor(executor, command.name);
  if (cursor === null) {
    const message = `cursor "${command.name}" does not exist`;
    executor.fail(new PgError(SqlState.invalidCursorName, message), done);
    return;
  }
  switch (cursor.kind) {
    case 'shard':
      executor.runFlight(cursorFlight(run, cursor.shard, false), done);
      return;
    case 'multi-shard':
      fetchOverShards(executor, run, { command, cursor: cursor.cursor }, done);
      return;
    case 'portal': {
      const message = 'FETCH from a portal over several shards is not supported';
      const hint = 'Read it with Execute and a row limit.';
      executor.fail(new PgError(SqlState.featureNotSupported, message, { hint }), done);
      return;
    }
    default:
      unreachable(cursor);
  }
}

function fetchOverShards(
  executor: SessionExecutor,
  run: StatementRun,
  wanted: { readonly command: Fetch; readonly cursor: ForwardCursor },
  done: Done,
): void {
  const { command, cursor } = wanted;
  const { move } = command;
  const walk = cursorWalk(command, cursor.place);
  const refusal = refused(run, wanted) ?? (walk.kind === 'backward' ? notBack(cursor) : null);
  if (refusal !== null || walk.kind === 'backward') {
    executor.fail(refusal ?? notBack(cursor), done);
    return;
  }
  if (run.describe && !move) executor.output.push(cursor.description(cursor.format));
  const complete = (rows: number) => {
    executor.succeed(encodeCommandComplete(`${move ? 'MOVE' : 'FETCH'} ${rows}`), done);
  };
  if (walk.kind === 'stay') {
    complete(walk.rows);
    return;
  }
  cursor.advance(walk.skip, false, (skipped) => {
    if (skipped === null) {
      done(false);
      return;
    }
    cursor.advance(walk.count, !move, (rows) => {
      if (rows === null) done(false);
      else complete(rows);
    });
  });
}

function refused(
  run: StatementRun,
  { command, cursor }: { readonly command: Fetch; readonly cursor: ForwardCursor },
): PgError | null {
  if (cursor.hasFailed) {
    const message = `portal "${command.name}" cannot be run`;
    return new PgError(SqlState.objectNotInPrerequisiteState, message);
  }
  if (run.describe || command.move || cursor.gives(run.resultFormats)) return null;
  return new PgError(
    SqlState.featureNotSupported,
    'FETCH from a cursor over several shards in another format than it was declared with',
    { hint: 'Declare the cursor BINARY to fetch in binary format.' },
  );
}

/** Where PostgreSQL itself refuses, in its words. */
function notBack(cursor: ForwardCursor): PgError {
  if (cursor.isNoScroll) {
    return new PgError(SqlState.objectNotInPrerequisiteState, 'cursor can only scan forward', {
      hint: 'Declare it with SCROLL option to enable backward scan.',
    });
  }
  return new PgError(
    SqlState.featureNotSupported,
    'a cursor over several shards can only scan forward',
    { hint: 'Read it forward, or restrict its query to one key.' },
  );
}
