import { DataRowReader } from '../protocol/data-row.ts';
import { BackendCode } from '../protocol/message-code.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { internalExchange } from './internal-exchange.ts';
import type { SessionExecutor } from './session-executor.ts';

/** An EXPLAIN for one shard. */
export type PlanQuestion = {
  readonly shard: ShardId;
  readonly write: boolean;
  /** One flight. */
  readonly messages: readonly Buffer[];
};

/** Asks it; an error is the client's and ends the statement with `done(false)`. */
export function collectPlan(
  executor: SessionExecutor,
  { shard, write, messages }: PlanQuestion,
  done: (ok: boolean) => void,
  collected: (rows: readonly string[], description: Buffer | null) => void,
): void {
  executor.acquire({ shard, write, share: false }, done, (connection, release) => {
    const rows: string[] = [];
    let description: Buffer | null = null;
    const reader = new DataRowReader();
    const exchange = internalExchange(
      (outcome) => {
        release();
        if (outcome.kind === 'ready') collected(rows, description);
        else executor.fail(outcome.kind === 'lost' ? outcome.error : outcome, done);
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
