import { assert, unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CursorCommand } from '../../planner/commands/cursor-command.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { StatementRun } from '../statement-run.ts';
import { cursorFlight } from './cursor-flight.ts';
import { cannotBeRun, notBack, otherSettings } from './cursor-refusals.ts';
import { type CursorStep, type CursorWalk, cursorWalk } from './cursor-walk.ts';
import { findCursor } from './find-cursor.ts';
import { movePortal } from './move-portal.ts';
import type { ShardsCursor } from './shards-cursor.ts';

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
    case 'portal':
      movePortal(executor, command, cursor.portal, done);
      return;
    default:
      unreachable(cursor);
  }
}

function fetchOverShards(
  executor: SessionExecutor,
  run: StatementRun,
  wanted: { readonly command: Fetch; readonly cursor: ShardsCursor },
  done: Done,
): void {
  const { command, cursor } = wanted;
  const { move } = command;
  const walk = cursorWalk(command, cursor.place);
  const refusal = refused(run, wanted);
  if (refusal !== null) {
    executor.fail(refusal, done);
    return;
  }
  if (walk.kind === 'backward' && !cursor.scrolls) {
    cursor.fail();
    executor.fail(notBack(), done);
    return;
  }
  if (run.describe && !move) executor.output.push(cursor.description(cursor.format));
  const complete = (rows: number | null) => {
    if (rows === null) done(false);
    else executor.succeed(encodeCommandComplete(`${move ? 'MOVE' : 'FETCH'} ${rows}`), done);
  };
  if (walk.kind === 'stay') complete(walk.rows);
  else takeSteps(cursor, stepsOf(walk), !move, complete);
}

function stepsOf(walk: Exclude<CursorWalk, { readonly kind: 'stay' }>): readonly CursorStep[] {
  if (walk.kind === 'backward') return walk.steps;
  const { skip, count } = walk;
  return [
    { kind: 'forward', count: skip },
    { kind: 'forward', count },
  ];
}

/** Only the rows of the last step are shown; `done` hears how many these are, as in `advance`. */
function takeSteps(
  cursor: ShardsCursor,
  [step, ...more]: readonly CursorStep[],
  isShown: boolean,
  done: (rows: number | null) => void,
): void {
  assert(step !== undefined, 'a walk has a step');
  const isLast = more.length === 0;
  const taken = (rows: number | null) => {
    if (isLast || rows === null) done(rows);
    else takeSteps(cursor, more, isShown, done);
  };
  switch (step.kind) {
    case 'forward':
      cursor.advance(step.count, isLast && isShown, taken);
      return;
    case 'backward':
      cursor.goBack(step.count, isLast && isShown, taken);
      return;
    case 'rewind':
      cursor.rewind();
      taken(0);
      return;
    default:
      unreachable(step);
  }
}

function refused(
  run: StatementRun,
  { command, cursor }: { readonly command: Fetch; readonly cursor: ShardsCursor },
): PgError | null {
  if (cursor.hasFailed) {
    return cannotBeRun(command.name);
  }
  if (command.move) return null;
  if (cursor.textHasChanged) return otherSettings();
  if (run.describe || cursor.gives(run.resultFormats)) return null;
  return new PgError(
    SqlState.featureNotSupported,
    'FETCH from a cursor over several shards in another format than it was declared with',
    { hint: 'Declare the cursor BINARY to fetch in binary format.' },
  );
}
