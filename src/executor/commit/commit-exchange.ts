import type { Exchange } from '../../backend/exchange.ts';
import type { PgError } from '../../base/pg-error.ts';
import { decodeTextRow } from '../../protocol/data-row.ts';
import { decodeErrorFields, isFatal } from '../../protocol/error-response.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { internalExchange } from '../internal-exchange.ts';
import { isInterruptedWait } from './interrupted-wait.ts';

export type CommitReply =
  | {
      readonly kind: 'answered';
      /** Copies, in order; the client has been sent none of them. */
      readonly frames: readonly Buffer[];
      readonly errored: boolean;
      /** False: see isInterruptedWait. */
      readonly isReplicated: boolean;
    }
  | { readonly kind: 'lost'; readonly error: PgError };

/** COMMIT on one server, whose answer is kept until it is known whether to believe it. */
export function commitExchange(done: (reply: CommitReply) => void): Exchange {
  const frames: Buffer[] = [];
  let errored = false;
  let isReplicated = true;
  return {
    readyCount: 1,
    onFrame(code, chunk, start, end) {
      const isError = code === BackendCode.errorResponse;
      // The connection ends now: what that means for the client is not the server's to say.
      if (isError && isFatal(decodeErrorFields(chunk, start, end))) return;
      errored ||= isError;
      if (isInterruptedWait(code, chunk, start, end)) isReplicated = false;
      else frames.push(Buffer.from(chunk.subarray(start, end)));
    },
    onChunkEnd() {},
    onReady() {
      done({ kind: 'answered', frames, errored, isReplicated });
    },
    onLost(error) {
      done({ kind: 'lost', error });
    },
  };
}

/**
 * Sent before COMMIT in the same flight, and answered before the server begins to commit, because each
 * query's answer leaves with its ReadyForQuery.
 */
export const xidQuery = 'SELECT pg_catalog.pg_current_xact_id_if_assigned()';

/** Begins a block and gives it an ID, whether or not it will write. */
export const openingQuery = 'BEGIN; SELECT pg_catalog.pg_current_xact_id()';

/**
 * `onXid`: not called when the transaction has none, or when the answer did not come. `onRefused`: it
 * could not be told, for a statement_timeout of a moment perhaps, and has failed the transaction.
 */
export function xidExchange(
  onXid: (xid: string) => void,
  onRefused: (frame: Buffer) => void,
): Exchange {
  return internalExchange(
    (outcome) => {
      if (outcome.kind === 'error') onRefused(outcome.frame);
    },
    (code, chunk, start, end) => {
      if (code !== BackendCode.dataRow) return;
      const [xid = null] = decodeTextRow(chunk, start, end);
      if (xid !== null) onXid(xid);
    },
  );
}
