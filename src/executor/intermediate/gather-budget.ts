import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';

/** The bytes that all intermediate results of one statement may have together. */
export class GatherBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Throws 53400 when `bytes` more of the result with these columns are too many. */
  take(bytes: number, columns: readonly string[]): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) throw tooLarge(this.#bytesMax, columns);
  }

  /** They were taken for rows that are not kept. */
  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }
}

const shownColumnsMax = 8;

function tooLarge(bytesMax: number, columns: readonly string[]): PgError {
  const shown = columns.slice(0, shownColumnsMax).map((column) => `"${column}"`);
  const rest = columns.length > shownColumnsMax ? ' ...' : '';
  return new PgError(
    SqlState.configurationLimitExceeded,
    `the rows to be gathered for this statement need more than limits.gather_bytes_max (${bytesMax} bytes)`,
    {
      detail: `The limit was reached by the intermediate result with the columns ${shown.join(', ')}${rest}.`,
      hint: 'Select fewer rows or columns in the part that is gathered, join or group by the sharding key, or raise limits.gather_bytes_max.',
    },
  );
}
