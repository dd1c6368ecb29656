import type { Exchange, TransactionStatus } from '../../src/backend/exchange.ts';
import type { PgError } from '../../src/base/pg-error.ts';
import { DataRowReader } from '../../src/protocol/data-row.ts';
import { decodeErrorResponse } from '../../src/protocol/error-response.ts';

export type RecordedExchange = Exchange & {
  /** `row <first column>`, `error <SQLSTATE>`, else the code; `ready <status> <left>`, `lost <SQLSTATE>`. */
  readonly events: string[];
  /** Resolves at the last ReadyForQuery or at the loss. */
  readonly ended: Promise<{ status: TransactionStatus } | { error: PgError }>;
};

/** Writes down what its connection tells it. */
export function recordedExchange(readyCount = 1): RecordedExchange {
  const events: string[] = [];
  const rows = new DataRowReader();
  let end: (outcome: { status: TransactionStatus } | { error: PgError }) => void = () => {};
  const ended = new Promise<{ status: TransactionStatus } | { error: PgError }>((resolve) => {
    end = resolve;
  });
  return {
    events,
    ended,
    readyCount,
    onFrame(code, chunk, start, frameEnd) {
      if (code === 0x44) {
        rows.open(chunk, start, frameEnd);
        rows.next();
        events.push(
          `row ${chunk.toString('utf8', rows.valueStart, rows.valueStart + rows.valueLength)}`,
        );
      } else if (code === 0x45) {
        events.push(`error ${decodeErrorResponse(chunk, start, frameEnd).sqlState}`);
      } else events.push(String.fromCharCode(code));
    },
    onChunkEnd() {
      events.push('.');
    },
    onReady(status, remaining) {
      events.push(`ready ${status} ${remaining}`);
      if (remaining === 0) end({ status });
    },
    onLost(error) {
      events.push(`lost ${error.sqlState}`);
      end({ error });
    },
  };
}
