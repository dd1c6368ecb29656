import { SqlState } from '../../base/sql-state.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { encodeNoticeResponse } from '../../protocol/error-response.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { Relay } from '../relay.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { Participant } from '../transaction.ts';
import { neverCommitted, unknownOutcome } from './commit-errors.ts';
import { TwoPhaseCommit } from './two-phase-commit.ts';

type Done = (ok: boolean) => void;

/**
 * Commits a block and ends it. One shard that was written decides alone, the others have nothing to
 * lose; several decide together. With none written any participant's answer will do, and with no
 * participant there is nothing to ask. `answer`: the client is owed a CommandComplete.
 */
export function commitBlock(executor: SessionExecutor, answer: boolean, done: Done): void {
  const { transaction } = executor;
  const { lostLocker, writers, participants } = transaction;
  const [writer, ...others] = writers;
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

function commitTogether(
  executor: SessionExecutor,
  coordinator: Participant,
  branches: readonly Participant[],
  answer: boolean,
  done: Done,
): void {
  const { transaction, world, output } = executor;
  new TwoPhaseCommit({
    id: world.globalIds.mint(coordinator.shard),
    transaction,
    coordinator,
    branches,
    onNotice: (chunk, start, end) => output.write(chunk, start, end),
    settle: (id, shards) => world.settleTransaction(id, shards),
    done: (result) => {
      const committed = result.kind === 'committed';
      endAll(executor, coordinator, committed, () => {
        if (!committed) executor.fail(result.error, done);
        else {
          if (result.unfinished.length > 0) output.push(unfinishedWarning(result.unfinished));
          executor.succeed(answer ? encodeCommandComplete('COMMIT') : null, done);
        }
      });
    },
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
    if (transaction.takeSchemaChange()) world.schemaChanged().then(done, done);
    else done();
  });
}

function commitOn(
  executor: SessionExecutor,
  participant: Participant,
  answer: boolean,
  done: Done,
): void {
  const { connection, shard, wrote } = participant;
  if (!connection.alive) {
    executor.fail(neverCommitted(shard), done);
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
        done(!outcome.errored);
        return;
      }
      const error = wrote ? unknownOutcome(shard, outcome.lost) : neverCommitted(shard);
      executor.fail(error, done);
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

function unfinishedWarning(shards: readonly ShardId[]): Buffer {
  return encodeNoticeResponse({
    severity: 'WARNING',
    sqlState: SqlState.connectionFailure,
    message: `the transaction is committed, but not yet visible on ${shards.join(', ')}`,
    detail: 'The connection was lost while the decision was on its way there.',
  });
}
