import { assert, unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CursorCommand } from '../../planner/commands/cursor-command.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { countStatement } from '../count-statement.ts';
import type { PlannedStatement } from '../planned-statement.ts';
import { rejection } from '../rejection.ts';
import { effectOf } from '../session/session-effects.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { StatementRun } from '../statement-run.ts';
import type { Target } from '../target.ts';
import { cursorFlight } from './cursor-flight.ts';
import { MultiShardSqlCursor } from './multi-shard-sql-cursor.ts';

type Done = (ok: boolean) => void;
type Declare = Extract<CursorCommand, { readonly kind: 'declare' }>;

/** DECLARE: the query is planned as it would be by itself, and the cursor opened where it runs. */
export function declareCursor(
  executor: SessionExecutor,
  run: StatementRun,
  command: Declare,
  done: Done,
): void {
  const { transaction, cursors, session, world } = executor;
  const { name } = command;
  if (transaction.block === 'none' && !command.hold) {
    const message = 'DECLARE CURSOR can only be used in transaction blocks';
    executor.fail(new PgError(SqlState.noActiveSqlTransaction, message), done);
    return;
  }
  if (cursors.get(name) !== null || session.portal(name) !== null) {
    const message = `cursor "${name}" already exists`;
    executor.fail(new PgError(SqlState.duplicateCursor, message), done);
    return;
  }
  const [query] = world.planner.planAll(executor, command.queryText);
  assert(query !== undefined, 'the grammar has found a query');
  const { plan } = query;
  if (plan.kind === 'reject') {
    world.telemetry.statement('rejected');
    executor.fail(rejection(plan), done);
    return;
  }
  if (effectOf(plan) !== null) {
    const message = 'a cursor for a query that changes the session is not supported';
    executor.fail(new PgError(SqlState.featureNotSupported, message), done);
    return;
  }
  assert(plan.kind === 'select' || plan.kind === 'utility', 'a cursor reads a query');
  const target = world.planner.targetOf(executor, query, run.parameters);
  countStatement(world.telemetry, plan, target);
  // It is a transaction of its own then.
  const isAlone = transaction.block === 'none';
  if (isAlone) transaction.beginImplicit();
  open(executor, { run, command, query, target, isAlone }, done);
}

function open(
  executor: SessionExecutor,
  declared: {
    readonly run: StatementRun;
    readonly command: Declare;
    readonly query: PlannedStatement;
    readonly target: Target;
    readonly isAlone: boolean;
  },
  done: Done,
): void {
  const { run, command, query, target, isAlone } = declared;
  const { cursors, transaction } = executor;
  switch (target.kind) {
    case 'shard': {
      const { shard, write } = target;
      const { hold } = command;
      const flight = cursorFlight(run, shard, write);
      executor.runFlight(hold ? { ...flight, reserves: true } : flight, (ok) => {
        const cursor = { kind: 'shard', shard, hold } as const;
        if (ok) cursors.add(command.name, cursor, transaction.savepointCount);
        done(ok);
      });
      return;
    }
    case 'multi-shard': {
      const refusal = refusedOverShards(query);
      if (refusal !== null) {
        executor.fail(refusal, done);
        return;
      }
      const source = {
        target,
        statementText: run.padding + ' '.repeat(command.queryStart) + command.queryText,
        literalText: (slot: number) => query.literalText(slot),
        parameters: run.parameters,
      };
      const { name, hold } = command;
      const cursor = new MultiShardSqlCursor(executor, source, command);
      const declare = () => executor.succeed(encodeCommandComplete('DECLARE CURSOR'), done);
      cursor.open((ok) => {
        if (!ok) {
          done(false);
          return;
        }
        cursors.add(name, { kind: 'multi-shard', cursor, hold }, transaction.savepointCount);
        if (!isAlone) {
          declare();
          return;
        }
        // What is wrong with a row the client hears instead of the command's end, not after it.
        cursor.hold((isRead) => {
          if (isRead) declare();
          else done(false);
        });
      });
      return;
    }
    case 'error':
      executor.fail(target.error, done);
      return;
    case 'write':
    case 'utility':
      assert(false, 'a cursor is for SELECT');
      return;
    default:
      unreachable(target);
  }
}

function refusedOverShards({ plan }: PlannedStatement): PgError | null {
  if (plan.kind !== 'select' || plan.readOnly) return null;
  // Rows are read ahead of FETCH: they would be locked, and functions called, too early.
  return new PgError(
    SqlState.featureNotSupported,
    'a cursor over several shards that locks or writes is not supported',
    { hint: 'Run the query without a cursor, or restrict it to one key.' },
  );
}
