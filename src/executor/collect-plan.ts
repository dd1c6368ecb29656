import { DataRowReader } from '../protocol/data-row.ts';
import { BackendCode } from '../protocol/message-code.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { internalExchange } from './internal-exchange.ts';
import { rerunsMax } from './run-again.ts';
import type { SessionExecutor } from './session-executor.ts';

/** An EXPLAIN for one shard. */
export type PlanQuestion = {
  readonly shard: ShardId;
  readonly write: boolean;
  /** One flight. */
  readonly messages: readonly Buffer[];
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

function ask(
  executor: SessionExecutor,
  question: PlanQuestion & { readonly rerunsLeft: number },
  done: (ok: boolean) => void,
  collected: Collected,
): void {
  const { shard, write, messages, rerunsLeft } = question;
  executor.acquire({ shard, write, share: false }, done, (connection, release) => {
    const rows: string[] = [];
    let description: Buffer | null = null;
    const reader = new DataRowReader();
    const exchange = internalExchange(
      (outcome) => {
        release();
        const mayRunAgain = !write && rerunsLeft > 0 && executor.transaction.block === 'none';
        if (outcome.kind === 'ready') collected(rows, description);
        else if (outcome.kind === 'lost' && mayRunAgain) {
          const again = { ...question, rerunsLeft: rerunsLeft - 1 };
          executor.later(rerunsLeft, done, () => ask(executor, again, done, collected));
        } else executor.fail(outcome.kind === 'lost' ? outcome.error : outcome, done);
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
  });
}
