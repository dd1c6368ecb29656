import type { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CommitQuestion } from '../../cluster/transactions/commit-question.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { encodeNoticeResponse } from '../../protocol/error-response.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { reviewReservations } from '../session/review-reservations.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { Participant } from '../transaction/participant.ts';
import { neverCommitted, notReplicated, unknownOutcome } from './commit-errors.ts';
import { commitExchange, xidExchange, xidQuery } from './commit-exchange.ts';
import { questionAbout } from './question-about.ts';
import { type CommitResult, TwoPhaseCommit, type TwoPhaseCommitParts } from './two-phase-commit.ts';

type Done = (ok: boolean) => void;

/**
 * Commits a block and ends it. One shard that was written decides alone, the others have nothing to
 * lose; several decide together. With none written any participant's answer will do, and with no
 * participant there is nothing to ask. `answer`: the client is owed a CommandComplete.
 */
export function commitBlock(executor: SessionExecutor, answer: boolean, done: Done): void {
  const { transaction } = executor;
  const { lostLocker, participants } = transaction;
  const [writer, ...others] = homeFirst(executor, transaction.writers);
  const first = lostLocker ?? writer ?? [...participants.values()][0] ?? null;
  // A cancel during COMMIT could end the wait for the standby: it is not passed on.
  executor.cancelWith(null);
  if (first === null) {
    transaction.end(true);
    executor.succeed(answer ? encodeCommandComplete('COMMIT') : null, done);
    return;
  }
  transaction.beginEnd();
  if (lostLocker === null && writer !== undefined && others.length > 0) {
    commitTogether(executor, writer, others, answer, done);
    return;
  }
  commitOn(executor, first, answer, (ok) => endAll(executor, first, ok, () => done(ok)));
}

/**
 * The home shard decides if it has written: a transaction with NOTIFY, temporary tables or session
 * locks in it cannot be prepared (manual, PREPARE TRANSACTION), only committed.
 */
function homeFirst(
  { world }: SessionExecutor,
  writers: readonly Participant[],
): readonly Participant[] {
  const { home } = world.planner.shardMap;
  const isHome = ({ shard }: Participant) => shard === home;
  return [...writers.filter(isHome), ...writers.filter((writer) => !isHome(writer))];
}

function commitTogether(
  executor: SessionExecutor,
  coordinator: Participant,
  branches: readonly Participant[],
  answer: boolean,
  done: Done,
): void {
  const { world, output } = executor;
  const decided = (result: CommitResult) => {
    const committed = result.kind === 'committed';
    endAll(executor, coordinator, committed, () => {
      if (!committed) executor.fail(result.error, done);
      else {
        if (result.unfinished.length > 0) output.push(unfinishedWarning(result.unfinished));
        executor.succeed(answer ? encodeCommandComplete('COMMIT') : null, done);
      }
    });
  };
  const id = world.globalIds.mint(coordinator.shard);
  decideTogether(executor, { id, coordinator, branches, prepare: null }, decided);
}

/** What is the session's part of TwoPhaseCommit. */
export function decideTogether(
  { transaction, world, output }: SessionExecutor,
  parts: Pick<TwoPhaseCommitParts, 'id' | 'coordinator' | 'branches' | 'prepare'>,
  done: (result: CommitResult) => void,
): void {
  new TwoPhaseCommit({
    ...parts,
    transaction,
    onNotice: (chunk, start, end) => output.write(chunk, start, end),
    settle: (id, shards) => world.settleTransaction(id, shards),
    confirm: async ({ connection }) => {
      const question = questionAbout(world.servers, connection);
      return (await world.askAboutCommit(question)) === 'committed';
    },
    done,
  }).start();
}

/** Tells those who have not written how it ended. */
function endAll(
  executor: SessionExecutor,
  decider: Participant,
  committed: boolean,
  done: () => void,
): void {
  const { transaction, world } = executor;
  transaction.broadcast(committed ? 'COMMIT' : 'ROLLBACK', decider, () => {
    transaction.end(committed);
    executor.cancelWith(null);
    reviewReservations(executor, () => {
      if (transaction.takeSchemaChange()) world.schemaChanged().then(done, done);
      else done();
    });
  });
}

function commitOn(
  executor: SessionExecutor,
  participant: Participant,
  answer: boolean,
  done: Done,
): void {
  const { world, output } = executor;
  const { connection, shard, wrote } = participant;
  if (!connection.alive) {
    executor.fail(neverCommitted(shard), done);
    return;
  }
  let question = questionAbout(world.servers, connection);
  let refusal: Buffer | null = null;
  if (wrote && world.resolvesCommits) {
    const exchange = xidExchange(
      (xid) => {
        question = { ...question, xid };
      },
      (frame) => {
        refusal = frame;
      },
    );
    connection.send(exchange, [encodeQuery(xidQuery)]);
  }
  const exchange = commitExchange((reply) => {
    if (refusal !== null) {
      executor.fail({ frame: refusal }, done);
      return;
    }
    if (reply.kind === 'lost') {
      resolveLost(executor, { question, wrote, answer, cause: reply.error }, done);
      return;
    }
    const goOn = () => {
      for (const frame of reply.frames) if (answer || isTold(frame)) output.push(frame);
      done(!reply.errored);
    };
    if (reply.isReplicated) {
      goOn();
      return;
    }
    void world.askAboutCommit({ ...question, xid: null }).then((outcome) => {
      if (outcome === 'committed') goOn();
      else executor.fail(notReplicated(shard), done);
    });
  });
  connection.send(exchange, [encodeQuery('COMMIT')]);
}

type LostCommit = {
  readonly question: CommitQuestion;
  readonly wrote: boolean;
  readonly answer: boolean;
  readonly cause: PgError;
};

/** The connection ended before COMMIT was answered. */
function resolveLost(
  executor: SessionExecutor,
  { question, wrote, answer, cause }: LostCommit,
  done: Done,
): void {
  const { shard, xid } = question;
  if (!wrote || xid === null) {
    executor.fail(wrote ? unknownOutcome(shard, cause) : neverCommitted(shard), done);
    return;
  }
  void executor.world.askAboutCommit(question).then((outcome) => {
    if (outcome === 'committed') {
      executor.succeed(answer ? encodeCommandComplete('COMMIT') : null, done);
    } else {
      const isKnown = outcome === 'rolled-back';
      executor.fail(isKnown ? neverCommitted(shard, cause) : unknownOutcome(shard, cause), done);
    }
  });
}

/** Of the COMMIT of an implicit block the client sees only what went wrong, and its settings. */
function isTold(frame: Buffer): boolean {
  const [code] = frame;
  if (code === BackendCode.parameterStatus) return true;
  return code === BackendCode.errorResponse || code === BackendCode.noticeResponse;
}

function unfinishedWarning(shards: readonly ShardId[]): Buffer {
  return encodeNoticeResponse({
    severity: 'WARNING',
    sqlState: SqlState.connectionFailure,
    message: `the transaction is committed, but not yet visible on ${shards.join(', ')}`,
    detail: 'The connection was lost while the decision was on its way there.',
  });
}
