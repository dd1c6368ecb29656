import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { globalIdPrefix } from '../../cluster/transactions/global-id.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import { decideTogether } from '../commit/commit-block.ts';
import { neverCommitted, notReplicated, unknownOutcome } from '../commit/commit-errors.ts';
import { commitExchange } from '../commit/commit-exchange.ts';
import { reviewReservations } from '../session/review-reservations.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { Participant } from './participant.ts';

type Done = (ok: boolean) => void;

/**
 * The client's own PREPARE TRANSACTION, of a block that has not failed. It is prepared under the client's
 * name on the home shard, whose pg_prepared_xacts everybody reads. Its parts on other shards are
 * prepared before that under an id of ours, as those of a COMMIT: the home shard's part holds the row
 * that decides about them. So they end with it, whoever ends it and whatever becomes of this process.
 * However it goes, the block is over.
 */
export function prepareTransaction(
  executor: SessionExecutor,
  gid: string,
  text: string,
  done: Done,
): void {
  const { transaction, world } = executor;
  const { home } = world.planner.shardMap;
  const participants = [...transaction.participants.values()];
  // Locks without writes last until the end, too.
  const branches = participants.filter(
    ({ shard, wrote, locked }) => shard !== home && (wrote || locked),
  );
  const refusal = reserved(gid) ?? refusalOf(executor, branches);
  if (refusal !== null) {
    end(executor, null, false, () => executor.fail(refusal, done));
    return;
  }
  const atHome = transaction.participants.get(home);
  const isDecider = branches.length > 0;
  if (atHome === undefined || (isDecider && !atHome.wrote)) {
    executor.acquire(
      { shard: home, write: isDecider, share: false, rowless: true },
      () => end(executor, null, false, () => done(false)),
      (_, release) => {
        release();
        prepareTransaction(executor, gid, text, done);
      },
    );
    return;
  }
  executor.cancelWith(null);
  executor.session.closePortals();
  transaction.beginEnd();
  if (!isDecider) {
    prepareOn(executor, atHome, text, done);
    return;
  }
  const id = world.globalIds.mintFor(home, gid);
  decideTogether(executor, { id, coordinator: atHome, branches, prepare: text }, (result) => {
    const isDone = result.kind === 'committed';
    end(executor, atHome, isDone, () => {
      if (isDone) executor.succeed(encodeCommandComplete('PREPARE TRANSACTION'), done);
      else executor.fail(result.error, done);
    });
  });
}

function prepareOn(
  executor: SessionExecutor,
  participant: Participant,
  text: string,
  done: Done,
): void {
  const { connection, shard } = participant;
  const { output } = executor;
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

/** null: the name can be a client's. */
export function reserved(gid: string): PgError | null {
  if (!gid.startsWith(globalIdPrefix)) return null;
  return new PgError(
    SqlState.featureNotSupported,
    `transaction identifiers that begin with "${globalIdPrefix}" are reserved`,
    { hint: 'Use another name.' },
  );
}

function refusalOf(
  { cursors, transaction }: SessionExecutor,
  branches: readonly Participant[],
): PgError | null {
  if (cursors.hasNewHoldable) {
    // In PostgreSQL's words.
    const message = 'cannot PREPARE a transaction that has created a cursor WITH HOLD';
    return new PgError(SqlState.featureNotSupported, message);
  }
  const { lostLocker } = transaction;
  if (lostLocker !== null) return neverCommitted(lostLocker.shard);
  // Who ends it, perhaps elsewhere, does not know that the catalogue must be read again.
  if (branches.length === 0 || transaction.schema === null) return null;
  return new PgError(
    SqlState.featureNotSupported,
    'PREPARE TRANSACTION of a transaction that has changed tables on several shards is not supported',
    { hint: 'Change tables in a transaction of its own, and COMMIT it.' },
  );
}
