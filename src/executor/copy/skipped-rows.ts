import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CopyOptions } from '../../planner/copy/copy-options.ts';
import { decodeErrorFields, encodeNoticeResponse } from '../../protocol/error-response.ts';
import { skippedRow, skippedRows } from './copy-messages.ts';

/** Rows that ON_ERROR ignore leaves out, over all servers. */
export class SkippedRows {
  readonly #options: CopyOptions;
  #count = 0;
  /** Of those that were told of, with a limit. */
  readonly #told: { readonly line: number; readonly context: string }[] = [];

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  /** What of a server's NoticeResponse the client gets; null: nothing, or later. */
  notice(frame: Buffer, lineOf: (serverLine: number) => number): Buffer | null {
    const { skipsErrors, verbosity, rejectLimit } = this.#options;
    if (!skipsErrors) return frame;
    const fields = decodeErrorFields(frame, 0, frame.length);
    const count = skippedRows(fields);
    if (count !== null) {
      this.#count += count;
      return null;
    }
    const told =
      verbosity === 'verbose' || rejectLimit !== null ? skippedRow(fields, lineOf) : null;
    if (told === null) return frame;
    if (rejectLimit !== null) this.#told.push(told);
    return verbosity === 'verbose' ? told.frame : null;
  }

  /** More than REJECT_LIMIT, though perhaps not on any single server. */
  excess(table: string): { readonly error: PgError; readonly line: number } | null {
    const { rejectLimit } = this.#options;
    if (rejectLimit === null) return null;
    const last = this.#told.sort((a, b) => a.line - b.line)[rejectLimit];
    if (last === undefined) return null;
    const message = `skipped more than REJECT_LIMIT (${rejectLimit}) rows due to data type incompatibility`;
    const context = `COPY ${table}, line ${last.line}${last.context}`;
    const error = new PgError(SqlState.invalidTextRepresentation, message, { context });
    return { error, line: last.line };
  }

  /** One for all servers, in PostgreSQL's words; null: none has been left out. */
  summary(): Buffer | null {
    const count = this.#count;
    if (count === 0 || this.#options.verbosity === 'silent') return null;
    const rows = count === 1 ? 'row was' : 'rows were';
    const message = `${count} ${rows} skipped due to data type incompatibility`;
    return encodeNoticeResponse({ severity: 'NOTICE', sqlState: '00000', message });
  }
}
