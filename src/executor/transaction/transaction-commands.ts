import { unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { TransactionCommand } from '../../planner/commands/transaction-command.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { encodeNoticeResponse } from '../../protocol/error-response.ts';
import { commitBlock } from '../commit/commit-block.ts';
import { holdCursors } from '../cursors/hold-cursors.ts';
import { reviewReservations } from '../session/review-reservations.ts';
import { scriptRefusal } from '../session/session-bounds.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { refreshBlockSchema } from '../utility/block-schema.ts';
import { finishPrepared } from './finish-prepared.ts';
import { prepareTransaction } from './prepared-transactions.ts';

type Done = (ok: boolean) => void;

/**
 * BEGIN, COMMIT, SAVEPOINT and so on for one session. BEGIN is answered here: shards hear of it
 * when they are first needed. `text` is the client's own.
 */
export function runTransactionCommand(
  executor: SessionExecutor,
  command: TransactionCommand,
  text: string,
  done: Done,
): void {
  switch (command.kind) {
    case 'begin':
      begin(executor, command, text, done);
      return;
    case 'commit':
      commit(executor, command.chain, done);
      return;
    case 'rollback':
      rollback(executor, command.chain, 'ROLLBACK', done);
      return;
    case 'savepoint':
      savepoint(executor, command.name, text, done);
      return;
    case 'release':
      release(executor, command.name, text, done);
      return;
    case 'rollback-to':
      rollbackTo(executor, command.name, text, done);
      return;
    case 'prepare':
      prepare(executor, command.gid, text, done);
      return;
    case 'finish-prepared':
      finishPrepared(executor, { gid: command.gid, tag: command.tag, text }, done);
      return;
    default:
      unreachable(command);
  }
}

function prepare(executor: SessionExecutor, gid: string, text: string, done: Done): void {
  const { block, failed } = executor.transaction;
  if (block === 'explicit' && !failed) prepareTransaction(executor, gid, text, done);
  else rollback(executor, false, 'ROLLBACK', done);
}

/** Ends an implicit block: commits when all went well. The client is told only of a failure. */
export function endImplicitBlock(executor: SessionExecutor, done: Done): void {
  if (executor.transaction.failed) undoBlock(executor, () => done(true));
  else commitHolding(executor, false, done);
}

/** Cursors WITH HOLD become the session's when, and only when, their block is committed. */
function commitHolding(executor: SessionExecutor, answer: boolean, done: Done): void {
  holdCursors(executor, (held) => {
    if (held === null) {
      undoBlock(executor, () => done(false));
      return;
    }
    executor.session.closePortals();
    commitBlock(executor, answer, (ok) => {
      if (!ok) for (const name of held) executor.cursors.close(name);
      done(ok);
    });
  });
}

function undoBlock(executor: SessionExecutor, done: () => void): void {
  const { transaction } = executor;
  executor.cancelWith(null);
  executor.session.closePortals();
  transaction.broadcast('ROLLBACK', null, () => {
    transaction.end(false);
    reviewReservations(executor, done);
  });
}

function begin(
  executor: SessionExecutor,
  command: Extract<TransactionCommand, { kind: 'begin' }>,
  text: string,
  done: Done,
): void {
  const { transaction, output } = executor;
  const { isolation, readOnly } = command;
  const isPlain = isolation === null && readOnly === null;
  const isOpen = transaction.block === 'explicit';
  if (isOpen) {
    output.push(
      warning(SqlState.activeSqlTransaction, 'there is already a transaction in progress'),
    );
  }
  if (transaction.block !== 'none' && transaction.participants.size > 0 && !isPlain) {
    const what =
      isolation === null ? 'the properties of a transaction' : 'SET TRANSACTION ISOLATION LEVEL';
    const message = `${what} must be ${isolation === null ? 'set' : 'called'} before any query`;
    executor.fail(new PgError(SqlState.activeSqlTransaction, message), done);
    return;
  }
  if (!isOpen) transaction.begin(text, isolation);
  executor.succeed(encodeCommandComplete(command.tag), done);
}

function commit(executor: SessionExecutor, chain: boolean, done: Done): void {
  const { transaction } = executor;
  if (transaction.block !== 'explicit' && !warnNoTransaction(executor, 'COMMIT', chain, done))
    return;
  if (transaction.failed) {
    rollback(executor, chain, 'ROLLBACK', done);
    return;
  }
  commitHolding(executor, true, (ok) => {
    if (ok && chain) transaction.beginAgain();
    done(ok);
  });
}

function rollback(executor: SessionExecutor, chain: boolean, tag: string, done: Done): void {
  const { transaction } = executor;
  if (transaction.block !== 'explicit' && !warnNoTransaction(executor, tag, chain, done)) return;
  const { failed } = transaction;
  undoBlock(executor, () => {
    // An error has taken the block's characteristics along, in PostgreSQL as well.
    if (chain && failed) transaction.begin('BEGIN', null);
    else if (chain) transaction.beginAgain();
    executor.succeed(encodeCommandComplete(tag), done);
  });
}

/** False: the statement has been answered. In an implicit block it goes on and ends the block. */
function warnNoTransaction(
  executor: SessionExecutor,
  tag: string,
  chain: boolean,
  done: Done,
): boolean {
  const { transaction, output } = executor;
  if (chain) {
    const message = `${tag} AND CHAIN can only be used in transaction blocks`;
    executor.fail(new PgError(SqlState.noActiveSqlTransaction, message), done);
    return false;
  }
  output.push(warning(SqlState.noActiveSqlTransaction, 'there is no transaction in progress'));
  if (transaction.block === 'implicit') return true;
  // What the message, or the batch, has bound so far has come to the end of its transaction.
  executor.session.closePortals();
  executor.succeed(encodeCommandComplete(tag), done);
  return false;
}

function savepoint(executor: SessionExecutor, name: string, text: string, done: Done): void {
  if (!requireBlock(executor, 'SAVEPOINT', done)) return;
  const refusal = scriptRefusal(executor, text);
  if (refusal !== null) {
    executor.fail(refusal, done);
    return;
  }
  executor.transaction.savepoint(name, text);
  broadcast(executor, text, 'SAVEPOINT', done);
}

function release(executor: SessionExecutor, name: string, text: string, done: Done): void {
  if (!requireBlock(executor, 'RELEASE SAVEPOINT', done)) return;
  if (!executor.transaction.releaseSavepoint(name)) {
    executor.fail(noSavepoint(name), done);
    return;
  }
  executor.session.savepointReleased();
  broadcast(executor, text, 'RELEASE', done);
}

function rollbackTo(executor: SessionExecutor, name: string, text: string, done: Done): void {
  if (!requireBlock(executor, 'ROLLBACK TO SAVEPOINT', done)) return;
  if (!executor.transaction.rollbackToSavepoint(name)) {
    executor.fail(noSavepoint(name), done);
    return;
  }
  executor.session.savepointRolledBack();
  const again = (ok: boolean) => reviewReservations(executor, () => done(ok));
  broadcast(executor, text, 'ROLLBACK', again, () => executor.transaction.schema !== null);
}

function broadcast(
  executor: SessionExecutor,
  text: string,
  tag: string,
  done: Done,
  changesSchema = () => false,
): void {
  const ended = (error: PgError | null) => {
    if (error === null) executor.succeed(encodeCommandComplete(tag), done);
    else executor.fail(error, done);
  };
  executor.cancelWith(null);
  executor.transaction.broadcast(text, null, (lost) => {
    if (lost === null && changesSchema()) refreshBlockSchema(executor, ended);
    else ended(lost);
  });
}

function requireBlock(executor: SessionExecutor, what: string, done: Done): boolean {
  if (executor.transaction.block === 'explicit') return true;
  const message = `${what} can only be used in transaction blocks`;
  executor.fail(new PgError(SqlState.noActiveSqlTransaction, message), done);
  return false;
}

function noSavepoint(name: string): PgError {
  return new PgError(SqlState.invalidSavepointSpecification, `savepoint "${name}" does not exist`);
}

function warning(sqlState: string, message: string): Buffer {
  return encodeNoticeResponse({ severity: 'WARNING', sqlState, message });
}
