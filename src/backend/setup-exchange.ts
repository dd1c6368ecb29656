import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { decodeErrorResponse } from '../protocol/error-response.ts';
import { BackendCode } from '../protocol/message-code.ts';
import type { Exchange } from './exchange.ts';

export type SetupOutcome =
  | { readonly kind: 'done' }
  /** The server's own error; the session may be in any state. */
  | { readonly kind: 'failed'; readonly error: PgError }
  | { readonly kind: 'lost' };

/** One simple query of the pool's own, which has no rows worth reading. */
export function setupExchange(onOutcome: (outcome: SetupOutcome) => void): Exchange {
  let error: PgError | null = null;
  return {
    readyCount: 1,
    onFrame(code, chunk, start, end) {
      if (code === BackendCode.errorResponse) error ??= decodeErrorResponse(chunk, start, end);
    },
    onChunkEnd() {},
    onReady(status) {
      if (error === null && status !== 'idle') {
        error = new PgError(SqlState.internalError, 'a setting has begun a transaction');
      }
      onOutcome(error === null ? { kind: 'done' } : { kind: 'failed', error });
    },
    onLost() {
      onOutcome({ kind: 'lost' });
    },
  };
}
