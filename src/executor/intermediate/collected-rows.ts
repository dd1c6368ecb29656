import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { DataRowReader } from '../../protocol/data-row.ts';
import type { LongValue } from '../../protocol/long-bind.ts';
import type { ValueReader } from './exact-values.ts';
import type { GatherBudget } from './gather-budget.ts';
import { TextArray } from './text-array.ts';

/** Code, length and column count of a DataRow. */
const headerBytes = 7;

/**
 * Rows in text format, kept column by column as arrays that a query can be given. Columns that have
 * a reader come in binary.
 */
export class CollectedRows {
  readonly #columns: readonly string[];
  readonly #readers: readonly (ValueReader | null)[];
  readonly #budget: GatherBudget;
  readonly #arrays: readonly TextArray[];
  readonly #reader = new DataRowReader();
  #rowCount = 0;
  #bytes = 0;

  constructor(
    columns: readonly string[],
    readers: readonly (ValueReader | null)[],
    budget: GatherBudget,
  ) {
    this.#columns = columns;
    this.#readers = readers;
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
    this.#take(frames.length - headerBytes * count);
    this.#rowCount += count;
    const reader = this.#reader;
    let growth = 0;
    for (let start = 0; start < frames.length; ) {
      const end = start + 1 + frames.readUInt32BE(start + 1);
      reader.open(frames, start, end);
      if (reader.columnCount !== this.#arrays.length) throw wrongColumnCount();
      for (const [column, array] of this.#arrays.entries()) {
        reader.next();
        const { valueStart, valueLength } = reader;
        const read = this.#readers[column] ?? null;
        if (read === null || valueLength < 0) array.add(frames, valueStart, valueLength);
        else {
          const text = read(frames, valueStart, valueLength);
          array.addShort(text);
          growth += text.length - valueLength;
        }
      }
      start = end;
    }
    this.#take(growth);
  }

  finish(): readonly LongValue[] {
    return this.#arrays.map((array) => array.finish());
  }

  #take(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.take(bytes, this.#columns);
  }
}

function wrongColumnCount(): PgError {
  return new PgError(
    SqlState.protocolViolation,
    'a row of an intermediate result has another number of columns than planned',
  );
}
