import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import {
  clientIdPrefix,
  type GlobalId,
  readGlobalId,
} from '../../cluster/transactions/global-id.ts';
import { decodeTextRow } from '../../protocol/data-row.ts';
import { encodeNoticeResponse } from '../../protocol/error-response.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { notReplicated, unknownOutcome } from '../commit/commit-errors.ts';
import { type CommitReply, commitExchange } from '../commit/commit-exchange.ts';
import { internalExchange } from '../internal-exchange.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { lostInTransaction } from './lost-in-transaction.ts';
import { reserved } from './prepared-transactions.ts';

type Done = (ok: boolean) => void;

/** A part of the transaction, prepared on another shard than the home shard. */
type Branch = { readonly id: GlobalId; readonly shard: ShardId };

/** COMMIT PREPARED or ROLLBACK PREPARED, as the client wrote it. */
type Finish = { readonly gid: string; readonly tag: string; readonly text: string };

/**
 * COMMIT PREPARED and ROLLBACK PREPARED. What the home shard does is the decision. The parts on other shards,
 * looked for before, are ended by recovery, which reads the decision; the client waits for that.
 */
export function finishPrepared(executor: SessionExecutor, finish: Finish, done: Done): void {
  const { gid, tag } = finish;
  const { transaction, world } = executor;
  if (transaction.block !== 'none') {
    const message = `${tag} cannot run inside a transaction block`;
    executor.fail(new PgError(SqlState.activeSqlTransaction, message), done);
    return;
  }
  const refusal = reserved(gid);
  if (refusal !== null) {
    executor.fail(refusal, done);
    return;
  }
  const { home, shards } = world.planner.shardMap;
  const others = shards.filter((shard) => shard !== home);
  const branches: Branch[] = [];
  const next = (index: number) => {
    const shard = others[index];
    if (shard === undefined) {
      decide(executor, finish, branches, done);
      return;
    }
    find(executor, shard, clientIdPrefix(home, gid), done, (ids) => {
      branches.push(...ids.map((id) => ({ id, shard })));
      next(index + 1);
    });
  };
  next(0);
}

/** `done(false)`: the client has been told why the shard could not be asked. */
function find(
  executor: SessionExecutor,
  shard: ShardId,
  prefix: string,
  done: Done,
  found: (ids: readonly GlobalId[]) => void,
): void {
  const wanted = { shard, write: false, share: false, rowless: true };
  executor.acquire(wanted, done, (connection, release) => {
    const ids: GlobalId[] = [];
    const exchange = internalExchange(
      (outcome) => {
        release();
        if (outcome.kind === 'ready') found(ids);
        else if (outcome.kind === 'error') executor.fail(outcome, done);
        else executor.fail(lostInTransaction(shard, outcome.error), done);
      },
      (code, chunk, start, end) => {
        if (code !== BackendCode.dataRow) return;
        const [gid = null] = decodeTextRow(chunk, start, end);
        const id = gid === null ? null : readGlobalId(gid);
        if (id !== null) ids.push(id);
      },
    );
    executor.cancelWith(() => connection.cancel(exchange));
    connection.send(exchange, [
      encodeQuery(`select gid from pg_catalog.pg_prepared_xacts
        where pg_catalog.starts_with(gid, '${prefix}')
          and database = pg_catalog.current_database()`),
    ]);
  });
}

function decide(
  executor: SessionExecutor,
  finish: Finish,
  branches: readonly Branch[],
  done: Done,
): void {
  const { home } = executor.world.planner.shardMap;
  executor.acquire({ shard: home, write: true, share: false }, done, (connection, release) => {
    executor.cancelWith(null);
    const exchange = commitExchange((reply) => {
      release();
      decided(executor, { finish, branches, reply }, done);
    });
    connection.send(exchange, [encodeQuery(finish.text)]);
  });
}

function decided(
  executor: SessionExecutor,
  {
    finish,
    branches,
    reply,
  }: {
    readonly finish: Finish;
    readonly branches: readonly Branch[];
    readonly reply: CommitReply;
  },
  done: Done,
): void {
  const { output, world } = executor;
  const { home } = world.planner.shardMap;
  if (reply.kind === 'lost') {
    executor.fail(unknownOutcome(home, reply.error), done);
    return;
  }
  if (!reply.isReplicated) {
    executor.fail(notReplicated(home), done);
    return;
  }
  const answer = () => {
    for (const frame of reply.frames) output.push(frame);
    done(!reply.errored);
  };
  if (reply.errored || branches.length === 0) {
    answer();
    return;
  }
  const ends = branches.map(async ({ id, shard }) => {
    const outcome = await world.settleTransaction(id, [home, shard]).catch(() => null);
    return outcome === null ? [shard] : [];
  });
  void Promise.all(ends).then((unfinished) => {
    const shards = unfinished.flat();
    if (shards.length > 0) output.push(unfinishedWarning(finish.tag, shards));
    answer();
  });
}

function unfinishedWarning(tag: string, shards: readonly ShardId[]): Buffer {
  return encodeNoticeResponse({
    severity: 'WARNING',
    sqlState: SqlState.connectionFailure,
    message: `${tag} is done, but not yet visible on ${shards.join(', ')}`,
    detail: 'The decision is on its way there.',
  });
}
