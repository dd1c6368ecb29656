import { unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { PreparedCommand } from '../../planner/commands/prepared-command.ts';
import { encodeBind } from '../../protocol/bind-message.ts';
import { encodeClose } from '../../protocol/close-message.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { syncMessage } from '../../protocol/constant-messages.ts';
import { encodeDescribe } from '../../protocol/describe-message.ts';
import { encodeExecute } from '../../protocol/execute-message.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { decodeParameterDescription } from '../../protocol/parameter-description.ts';
import { encodeParse } from '../../protocol/parse-message.ts';
import { describeStatement } from '../describe-statement.ts';
import { internalExchange } from '../internal-exchange.ts';
import type { PlannedStatement } from '../planned-statement.ts';
import { rejection } from '../rejection.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { StatementRun } from '../statement-run.ts';
import { lostInTransaction } from '../transaction/lost-in-transaction.ts';
import { argumentValues } from './argument-values.ts';
import type { PreparedText } from './session-events.ts';

type Done = (ok: boolean) => void;
type Prepare = Extract<PreparedCommand, { readonly kind: 'prepare' }>;
type Execute = Extract<PreparedCommand, { readonly kind: 'execute' }>;

/**
 * The name that the server knows a statement by while it says what its parameters are; not longer than
 * any of a client's, so that its text has room before the query.
 */
const triedName = '_';

/** What a prepared statement of the session is run with. */
export type RunPrepared = (run: StatementRun, done: Done) => void;

/**
 * PREPARE, EXECUTE and DEALLOCATE: the session's statements are those of the protocol, so that each
 * EXECUTE goes where its values say. `runPrepared` runs a statement whose values are known.
 */
export function runPreparedCommand(
  executor: SessionExecutor,
  run: StatementRun,
  command: PreparedCommand,
  runPrepared: RunPrepared,
  done: Done,
): void {
  try {
    runCommand(executor, run, command, runPrepared, done);
  } catch (error) {
    // What is refused now that tables have changed.
    if (!(error instanceof PgError)) throw error;
    executor.fail(error, done);
  }
}

function runCommand(
  executor: SessionExecutor,
  run: StatementRun,
  command: PreparedCommand,
  runPrepared: RunPrepared,
  done: Done,
): void {
  switch (command.kind) {
    case 'prepare':
      prepare(executor, run, command, done);
      return;
    case 'execute':
      execute(executor, run, command, runPrepared, done);
      return;
    case 'deallocate': {
      const { name } = command;
      if (!executor.session.deallocate(name)) {
        executor.fail(noStatement(name ?? ''), done);
        return;
      }
      executor.succeed(
        encodeCommandComplete(name === null ? 'DEALLOCATE ALL' : 'DEALLOCATE'),
        done,
      );
      return;
    }
    default:
      unreachable(command);
  }
}

/** A server looks at it as it would at PREPARE, and says the types of its parameters. */
function prepare(executor: SessionExecutor, run: StatementRun, command: Prepare, done: Done): void {
  const { name, queryText, queryStart, typesText } = command;
  const { session, world } = executor;
  if (session.preparedStatement(name) !== null) {
    const message = `prepared statement "${name}" already exists`;
    executor.fail(new PgError(SqlState.duplicatePreparedStatement, message), done);
    return;
  }
  const [query] = world.planner.planAll(executor, queryText);
  if (query === undefined || query.plan.kind === 'reject') {
    const { plan } = query ?? world.planner.emptyStatement;
    const message = 'an empty prepared statement is not supported';
    const empty = new PgError(SqlState.featureNotSupported, message);
    executor.fail(plan.kind === 'reject' ? rejection(plan) : empty, done);
    return;
  }
  const head = `prepare ${triedName}${typesText} as `;
  // Positions in its errors are those of the client's text if there is room.
  const sql = run.padding + head.padEnd(queryStart) + queryText;
  ask(executor, shardOf(executor, query), sql, done, (typeOids) => {
    try {
      session.prepare(name, queryText, typeOids);
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      executor.fail(error, done);
      return;
    }
    executor.succeed(encodeCommandComplete('PREPARE'), done);
  });
}

function ask(
  executor: SessionExecutor,
  shard: ReturnType<typeof shardOf>,
  sql: string,
  done: Done,
  answered: (typeOids: readonly number[]) => void,
): void {
  const wanted = { shard, write: false, share: false, rowless: true };
  executor.acquire(wanted, done, (connection, release) => {
    let typeOids: readonly number[] = [];
    const exchange = internalExchange(
      (outcome) => {
        // What is left of it nobody may find there.
        if (outcome.kind === 'error') connection.taint();
        release();
        if (outcome.kind === 'ready') answered(typeOids);
        else if (outcome.kind === 'error') executor.fail(outcome, done);
        else executor.fail(lostInTransaction(shard, outcome.error), done);
      },
      (code, chunk, start, end) => {
        if (code === BackendCode.parameterDescription) {
          typeOids = decodeParameterDescription(chunk, start, end);
        }
      },
    );
    executor.cancelWith(() => connection.cancel(exchange));
    connection.send(exchange, [
      encodeParse({ name: '', sql, typeOids: [] }),
      encodeBind({ portal: '', statement: '', formats: [], values: [], resultFormats: [] }),
      encodeExecute({ portal: '', rowsMax: 0 }),
      encodeDescribe({ kind: 'statement', name: triedName }),
      encodeClose({ kind: 'statement', name: triedName }),
      syncMessage,
    ]);
  });
}

function execute(
  executor: SessionExecutor,
  run: StatementRun,
  command: Execute,
  runPrepared: RunPrepared,
  done: Done,
): void {
  const { name } = command;
  const statement = executor.session.preparedStatement(name);
  if (statement === null) throw noStatement(name);
  const { planned, serverName } = statement;
  withTypes(executor, statement, done, (typeOids) => {
    const count = command.arguments.length;
    if (count !== typeOids.length) {
      executor.fail(wrongCount(name, typeOids.length, count), done);
      return;
    }
    argumentValues(executor, command, typeOids, done, (values) => {
      const parameters = { typeOids, formats: [], values };
      runPrepared({ ...run, planned, parameters, padding: '', serverName }, done);
    });
  });
}

/** The types of the parameters; a Parse need not have declared them all. */
function withTypes(
  executor: SessionExecutor,
  { planned, typeOids }: PreparedText,
  done: Done,
  known: (typeOids: readonly number[]) => void,
): void {
  const { parameterCount } = planned.source.lexed;
  if (typeOids.length >= parameterCount && !typeOids.includes(0)) {
    known(typeOids);
    return;
  }
  const wanted = { shard: shardOf(executor, planned), write: false, share: false, rowless: true };
  executor.acquire(wanted, done, (connection, release) => {
    executor.cancelWith(null);
    const question = { text: planned.text, parameterOids: typeOids };
    describeStatement(connection, question, (outcome) => {
      release();
      if (outcome.kind === 'failed') executor.fail(outcome.error, done);
      else known(outcome.description.parameterOids);
    });
  });
}

/** One that has the tables, where the transaction is already if possible. */
export function shardOf({ transaction, world }: SessionExecutor, { candidates }: PlannedStatement) {
  const { participants } = transaction;
  const known = candidates.find((shard) => participants.has(shard));
  return known ?? candidates[0] ?? world.planner.shardMap.home;
}

function noStatement(name: string): PgError {
  const message = `prepared statement "${name}" does not exist`;
  return new PgError(SqlState.invalidSqlStatementName, message);
}

function wrongCount(name: string, expected: number, got: number): PgError {
  return new PgError(
    SqlState.syntaxError,
    `wrong number of parameters for prepared statement "${name}"`,
    { detail: `Expected ${expected} parameters but got ${got}.` },
  );
}
