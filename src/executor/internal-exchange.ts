import type { Exchange, TransactionStatus } from '../backend/exchange.ts';
import type { PgError } from '../base/pg-error.ts';

const errorResponse = 0x45; // E

export type InternalOutcome =
  | { readonly kind: 'ready'; readonly status: TransactionStatus }
  /** The server's ErrorResponse, copied. */
  | {
      readonly kind: 'error';
      readonly frame: Buffer;
      readonly status: TransactionStatus;
    }
  | { readonly kind: 'lost'; readonly error: PgError };

/**
 * An exchange whose answer is not for the client: BEGIN, COMMIT on readers, replayed SETs.
 * `onFrame`, when given, sees every frame but errors.
 */
export function internalExchange(
  done: (outcome: InternalOutcome) => void,
  onFrame?: (code: number, chunk: Buffer, start: number, end: number) => void,
): Exchange {
  let errorFrame: Buffer | null = null;
  return {
    readyCount: 1,
    onFrame(code, chunk, start, end) {
      if (code === errorResponse) errorFrame ??= Buffer.from(chunk.subarray(start, end));
      else onFrame?.(code, chunk, start, end);
    },
    onChunkEnd() {},
    onReady(status, remaining) {
      if (remaining > 0) return;
      if (errorFrame === null) done({ kind: 'ready', status });
      else done({ kind: 'error', frame: errorFrame, status });
    },
    onLost(error) {
      done({ kind: 'lost', error });
    },
  };
}
