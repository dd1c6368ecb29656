import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { DataRowReader } from '../../protocol/data-row.ts';
import type { LongValue } from '../../protocol/long-bind.ts';
import type { GatherBudget } from './gather-budget.ts';
import { TextArray } from './text-array.ts';

/** Code, length and column count of a DataRow. */
const headerBytes = 7;

/** Rows in text format, kept column by column as arrays that a query can be given. */
export class CollectedRows {
  readonly #columns: readonly string[];
  readonly #budget: GatherBudget;
  readonly #arrays: readonly TextArray[];
  readonly #reader = new DataRowReader();
  #rowCount = 0;
  #bytes = 0;

  constructor(columns: readonly string[], budget: GatherBudget) {
    this.#columns = columns;
    this.#budget = budget;
    this.#arrays = columns.map(() => new TextArray());
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Of the values and their length words: what counts for the budget. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Copies `count` whole DataRow frames. Throws 53400 before it holds too much, 08P01. */
  add(frames: Buffer, count: number): void {
    const bytes = frames.length - headerBytes * count;
    this.#bytes += bytes;
    this.#budget.take(bytes, this.#columns);
    this.#rowCount += count;
    const reader = this.#reader;
    for (let start = 0; start < frames.length; ) {
      const end = start + 1 + frames.readUInt32BE(start + 1);
      reader.open(frames, start, end);
      if (reader.columnCount !== this.#arrays.length) throw wrongColumnCount();
      for (const array of this.#arrays) {
        reader.next();
        array.add(frames, reader.valueStart, reader.valueLength);
      }
      start = end;
    }
  }

  finish(): readonly LongValue[] {
    return this.#arrays.map((array) => array.finish());
  }
}

function wrongColumnCount(): PgError {
  return new PgError(
    SqlState.protocolViolation,
    'a row of an intermediate result has another number of columns than planned',
  );
}
