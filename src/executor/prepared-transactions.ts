import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { globalIdPrefix } from '../cluster/transactions/global-id.ts';
import { BackendCode } from '../protocol/message-code.ts';
import { encodeQuery } from '../protocol/query-message.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { notReplicated, unknownOutcome } from './commit/commit-errors.ts';
import { commitExchange } from './commit/commit-exchange.ts';
import { plainFlight } from './cursor-flight.ts';
import { internalExchange } from './internal-exchange.ts';
import { lostInTransaction } from './lost-in-transaction.ts';
import type { Participant } from './participant.ts';
import { reviewReservations } from './review-reservations.ts';
import type { SessionExecutor } from './session-executor.ts';

type Done = (ok: boolean) => void;

/**
 * The client's own PREPARE TRANSACTION, of a block that has not failed: on the one shard that has
 * written, or on the home shard if none has. However it ends, the block is over.
 */
export function prepareTransaction(
  executor: SessionExecutor,
  gid: string,
  text: string,
  done: Done,
): void {
  const { transaction } = executor;
  const [writer, ...others] = transaction.writers;
  const refusal = others.length > 0 ? onSeveralShards() : (reserved(gid) ?? holding(executor));
  if (refusal !== null) {
    end(executor, null, false, () => executor.fail(refusal, done));
    return;
  }
  const participant = writer ?? [...transaction.participants.values()][0] ?? null;
  if (participant !== null) {
    prepareOn(executor, participant, text, done);
    return;
  }
  const { home } = executor.world.planner.shardMap;
  executor.acquire(
    { shard: home, write: false, share: false, rowless: true },
    done,
    (_, release) => {
      release();
      prepareTransaction(executor, gid, text, done);
    },
  );
}

function prepareOn(
  executor: SessionExecutor,
  participant: Participant,
  text: string,
  done: Done,
): void {
  const { connection, shard } = participant;
  const { output, transaction } = executor;
  executor.cancelWith(null);
  executor.session.closePortals();
  transaction.beginEnd();
  const exchange = commitExchange((reply) => {
    const isDone = reply.kind === 'answered' && !reply.errored;
    end(executor, participant, isDone, () => {
      if (reply.kind === 'lost') executor.fail(unknownOutcome(shard, reply.error), done);
      else if (!reply.isReplicated) executor.fail(notReplicated(shard), done);
      else {
        for (const frame of reply.frames) output.push(frame);
        done(!reply.errored);
      }
    });
  });
  connection.send(exchange, [encodeQuery(text)]);
}

/** The others have nothing to lose. */
function end(
  executor: SessionExecutor,
  decider: Participant | null,
  isDone: boolean,
  done: () => void,
): void {
  const { transaction } = executor;
  transaction.broadcast(isDone ? 'COMMIT' : 'ROLLBACK', decider, () => {
    transaction.end(isDone);
    reviewReservations(executor, done);
  });
}

/** COMMIT PREPARED and ROLLBACK PREPARED go to the shard that has the transaction. */
export function finishPrepared(
  executor: SessionExecutor,
  gid: string,
  run: { readonly tag: string; readonly text: string },
  done: Done,
): void {
  const { transaction, world } = executor;
  if (transaction.block === 'explicit') {
    const message = `${run.tag} cannot run inside a transaction block`;
    executor.fail(new PgError(SqlState.activeSqlTransaction, message), done);
    return;
  }
  const refusal = reserved(gid);
  if (refusal !== null) {
    executor.fail(refusal, done);
    return;
  }
  const { home, shards } = world.planner.shardMap;
  const asked = [home, ...shards.filter((shard) => shard !== home)];
  const next = (index: number) => {
    const shard = asked[index];
    if (shard === undefined) {
      const message = `prepared transaction with identifier "${gid}" does not exist`;
      executor.fail(new PgError(SqlState.undefinedObject, message), done);
      return;
    }
    find(executor, shard, gid, done, (isThere) => {
      if (!isThere) next(index + 1);
      else executor.runFlight(plainFlight(shard, true, [encodeQuery(run.text)], null), done);
    });
  };
  next(0);
}

function find(
  executor: SessionExecutor,
  shard: ShardId,
  gid: string,
  done: Done,
  found: (isThere: boolean) => void,
): void {
  const wanted = { shard, write: false, share: false, rowless: true };
  executor.acquire(wanted, done, (connection, release) => {
    let isThere = false;
    const exchange = internalExchange(
      (outcome) => {
        release();
        if (outcome.kind === 'ready') found(isThere);
        else if (outcome.kind === 'error') executor.fail(outcome, done);
        else executor.fail(lostInTransaction(shard, outcome.error), done);
      },
      (code) => {
        isThere ||= code === BackendCode.dataRow;
      },
    );
    executor.cancelWith(() => connection.cancel(exchange));
    const literal = `E'${gid.replace(/[\\']/g, '\\$&')}'`;
    connection.send(exchange, [
      encodeQuery(`select from pg_catalog.pg_prepared_xacts
        where gid = ${literal} and database = pg_catalog.current_database()`),
    ]);
  });
}

function reserved(gid: string): PgError | null {
  if (!gid.startsWith(globalIdPrefix)) return null;
  return new PgError(
    SqlState.featureNotSupported,
    `transaction identifiers that begin with "${globalIdPrefix}" are reserved`,
    { hint: 'Use another name.' },
  );
}

/** In PostgreSQL's words. */
function holding({ cursors }: SessionExecutor): PgError | null {
  if (!cursors.hasNewHoldable) return null;
  const message = 'cannot PREPARE a transaction that has created a cursor WITH HOLD';
  return new PgError(SqlState.featureNotSupported, message);
}

function onSeveralShards(): PgError {
  return new PgError(
    SqlState.featureNotSupported,
    'PREPARE TRANSACTION after writes on several shards is not supported',
    { hint: 'COMMIT is atomic over shards; or write on one shard only.' },
  );
}
