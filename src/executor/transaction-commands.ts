import { unreachable } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { TransactionCommand } from '../planner/plan.ts';
import { encodeCommandComplete } from '../protocol/command-complete.ts';
import { encodeNoticeResponse } from '../protocol/error-response.ts';
import { encodeQuery } from '../protocol/query-message.ts';
import { Relay } from './relay.ts';
import type { SessionExecutor } from './session-executor.ts';
import type { Participant } from './transaction.ts';

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
    default:
      unreachable(command);
  }
}

/** Ends an implicit block: commits when all went well. The client is told only of a failure. */
export function endImplicitBlock(executor: SessionExecutor, done: Done): void {
  executor.session.closePortals();
  if (executor.transaction.failed) {
    executor.transaction.broadcast('ROLLBACK', null, () => {
      executor.transaction.end(false);
      done(true);
    });
    return;
  }
  commitParticipants(executor, false, done);
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
  if (transaction.block !== 'none' && transaction.participants.size > 0 && !isPlain) {
    const message = 'the properties of a transaction must be set before any query';
    executor.fail(new PgError(SqlState.activeSqlTransaction, message), done);
    return;
  }
  if (transaction.block === 'explicit') {
    output.push(
      warning(SqlState.activeSqlTransaction, 'there is already a transaction in progress'),
    );
  } else {
    transaction.begin(text, isolation);
  }
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
  executor.session.closePortals();
  commitParticipants(executor, true, (ok) => {
    if (ok && chain) transaction.beginAgain();
    done(ok);
  });
}

/**
 * The shard that was written decides; the others have nothing to lose. With none written any
 * participant's answer will do, and with no participant there is nothing to ask.
 */
function commitParticipants(executor: SessionExecutor, answer: boolean, done: Done): void {
  const { transaction } = executor;
  const { lostLocker, writer, participants } = transaction;
  const first = lostLocker ?? writer ?? [...participants.values()][0] ?? null;
  if (first === null) {
    transaction.end(true);
    executor.succeed(answer ? encodeCommandComplete('COMMIT') : null, done);
    return;
  }
  transaction.beginEnd();
  commitOn(executor, first, answer, (ok, committed) => {
    transaction.broadcast(committed ? 'COMMIT' : 'ROLLBACK', first, () => {
      transaction.end(committed);
      executor.cancelWith(null);
      const goOn = () => done(ok);
      if (transaction.takeSchemaChange()) executor.world.schemaChanged().then(goOn, goOn);
      else goOn();
    });
  });
}

function commitOn(
  executor: SessionExecutor,
  participant: Participant,
  answer: boolean,
  done: (ok: boolean, committed: boolean) => void,
): void {
  const { connection, shard, wrote } = participant;
  // A cancel during COMMIT could end the wait for the standby: it is not passed on.
  executor.cancelWith(null);
  if (!connection.alive) {
    executor.fail(neverCommitted(shard), () => done(false, false));
    return;
  }
  const relay = new Relay(connection, {
    output: answer ? executor.output : errorsOnly(executor),
    script: null,
    shared: false,
    onCopyIn() {},
    onError() {},
    done: (outcome) => {
      if (outcome.lost === null) {
        done(!outcome.errored, !outcome.errored);
        return;
      }
      const error = wrote ? unknownOutcome(shard, outcome.lost) : neverCommitted(shard);
      executor.fail(error, () => done(false, false));
    },
  });
  connection.send(relay, [encodeQuery('COMMIT')]);
}

/** Of the COMMIT of an implicit block the client sees only what went wrong. */
function errorsOnly(executor: SessionExecutor) {
  const { output } = executor;
  return {
    write(bytes: Buffer, start: number, end: number) {
      for (let at = start; at < end; at += 1 + bytes.readInt32BE(at + 1)) {
        const code = bytes[at];
        if (code === 0x45 || code === 0x4e) {
          output.write(bytes, at, at + 1 + bytes.readInt32BE(at + 1));
        }
      }
    },
    push() {},
    flush() {},
    writable: true,
    unsentBytes: 0,
    onDrain() {},
  };
}

function rollback(executor: SessionExecutor, chain: boolean, tag: string, done: Done): void {
  const { transaction } = executor;
  if (transaction.block !== 'explicit' && !warnNoTransaction(executor, tag, chain, done)) return;
  executor.cancelWith(null);
  executor.session.closePortals();
  transaction.broadcast('ROLLBACK', null, () => {
    transaction.end(false);
    if (chain) transaction.beginAgain();
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
  executor.succeed(encodeCommandComplete(tag), done);
  return false;
}

function savepoint(executor: SessionExecutor, name: string, text: string, done: Done): void {
  if (!requireBlock(executor, 'SAVEPOINT', done)) return;
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
  broadcast(executor, text, 'ROLLBACK', done);
}

function broadcast(executor: SessionExecutor, text: string, tag: string, done: Done): void {
  executor.cancelWith(null);
  executor.transaction.broadcast(text, null, (lost) => {
    if (lost === null) executor.succeed(encodeCommandComplete(tag), done);
    else executor.fail(lost, done);
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

function neverCommitted(shard: string): PgError {
  return new PgError(
    SqlState.serializationFailure,
    `the connection to shard ${shard} was lost before the transaction was committed`,
    { hint: 'Nothing of the transaction has been committed; run it again.' },
  );
}

function unknownOutcome(shard: string, cause: PgError): PgError {
  return new PgError(
    SqlState.transactionResolutionUnknown,
    `the connection to shard ${shard} was lost during COMMIT`,
    {
      detail: cause.message,
      hint: 'It is not known whether the transaction was committed; look before running it again.',
      cause,
    },
  );
}

function warning(sqlState: string, message: string): Buffer {
  return encodeNoticeResponse({ severity: 'WARNING', sqlState, message });
}
