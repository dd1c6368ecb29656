import type { PgError } from '../../base/pg-error.ts';
import type { ShardFailure } from '../merge/shard-stream.ts';
import { isLoss } from '../run-again.ts';

/**
 * What has gone wrong in a COPY over several servers, each of which has read the client's lines at its
 * own pace. What one PostgreSQL would have come to first is the client's answer: the mistake of the
 * earliest line; what is found at the end of all, such as a foreign key, comes last.
 */
export class CopyFailures {
  #lost: PgError | null = null;
  #first: { readonly error: ShardFailure; readonly line: number } | null = null;

  /** `line` of the client's; Infinity: of none. Of two for one line the one that is added first counts. */
  add(error: ShardFailure, line: number): void {
    if (this.#first === null || line < this.#first.line) this.#first = { error, line };
  }

  lost(error: PgError): void {
    if (!isLoss(error)) this.add(error, -1);
    else this.#lost ??= error;
  }

  /** Without a server nothing can be stored, whatever else is wrong. */
  get worst(): ShardFailure | null {
    return this.#lost ?? this.#first?.error ?? null;
  }
}
