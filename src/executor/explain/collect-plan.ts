import type { ServerConnection } from '../../backend/server-connection.ts';
import type { PgError } from '../../base/pg-error.ts';
import { DataRowReader } from '../../protocol/data-row.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { internalExchange } from '../internal-exchange.ts';
import { rerunsMax } from '../run-again.ts';
import type { SessionExecutor } from '../session-executor.ts';

/** An EXPLAIN for one shard. */
export type PlanQuestion = {
  readonly shard: ShardId;
  readonly write: boolean;
  /** One flight. */
  readonly messages: readonly Buffer[];
  /** Asked when `shard` fails, which is none then: see PlanningSession.combineServer. */
  readonly otherwise?: ShardId;
};

type Collected = (rows: readonly string[], description: Buffer | null) => void;

/**
 * Asks it, again when the connection is lost and nothing has been changed; an error is the client's
 * and ends the statement with `done(false)`.
 */
export function collectPlan(
  executor: SessionExecutor,
  question: PlanQuestion,
  done: (ok: boolean) => void,
  collected: Collected,
): void {
  ask(executor, { ...question, rerunsLeft: rerunsMax }, done, collected);
}

type Question = PlanQuestion & { readonly rerunsLeft: number };

function ask(
  executor: SessionExecutor,
  question: Question,
  done: (ok: boolean) => void,
  collected: Collected,
): void {
  const { shard, write, messages } = question;
  const again = (next: Question) => ask(executor, next, done, collected);
  const failed = (error: PgError | { readonly frame: Buffer }, isLost: boolean) => {
    const { otherwise, ...same } = question;
    const { rerunsLeft } = same;
    const mayRunAgain = !write && rerunsLeft > 0 && executor.transaction.block === 'none';
    if (otherwise !== undefined) again({ ...same, shard: otherwise });
    else if (isLost && mayRunAgain) {
      executor.later(rerunsLeft, done, () => again({ ...same, rerunsLeft: rerunsLeft - 1 }));
    } else executor.fail(error, done);
  };
  const onConnection = (connection: ServerConnection, release: () => void) => {
    const rows: string[] = [];
    let description: Buffer | null = null;
    const reader = new DataRowReader();
    const exchange = internalExchange(
      (outcome) => {
        release();
        if (outcome.kind === 'ready') collected(rows, description);
        else if (outcome.kind === 'lost') failed(outcome.error, true);
        else failed(outcome, false);
      },
      (code, chunk, start, end) => {
        if (code === BackendCode.rowDescription) {
          description = Buffer.from(chunk.subarray(start, end));
        }
        if (code !== BackendCode.dataRow) return;
        reader.open(chunk, start, end);
        reader.next();
        const { valueStart, valueLength } = reader;
        rows.push(chunk.toString('utf8', valueStart, valueStart + Math.max(0, valueLength)));
      },
    );
    executor.cancelWith(() => connection.cancel(exchange));
    connection.send(exchange, messages);
  };
  executor.acquire({ shard, write, share: false }, done, onConnection, (error) =>
    failed(error, false),
  );
}
