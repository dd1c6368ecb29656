import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { DataRowReader } from '../../protocol/data-row.ts';

/**
 * One DataRow frame seen by columns: a cursor that is pointed at frame after frame, so that a row
 * costs no allocation. The bytes never change: a view of them stays valid when the cursor moves on.
 */
export class Row {
  readonly columnCount: number;
  bytes: Buffer = Buffer.alloc(0);
  /** The frame is `bytes[start, end)`, code and length included. */
  start = 0;
  end = 0;
  readonly #reader = new DataRowReader();
  readonly #starts: Int32Array;
  readonly #lengths: Int32Array;
  #located = false;

  constructor(columnCount: number) {
    this.columnCount = columnCount;
    this.#starts = new Int32Array(columnCount);
    this.#lengths = new Int32Array(columnCount);
  }

  point(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.#located = false;
  }

  /** Where the column's value begins in `bytes`. */
  valueStart(column: number): number {
    if (!this.#located) this.#locate();
    return this.#starts[column] ?? 0;
  }

  /** Bytes of the column's value; -1 is NULL. */
  valueLength(column: number): number {
    if (!this.#located) this.#locate();
    return this.#lengths[column] ?? -1;
  }

  /** A view of the column's value; null is NULL. */
  value(column: number): Buffer | null {
    const length = this.valueLength(column);
    if (length < 0) return null;
    const start = this.valueStart(column);
    return this.bytes.subarray(start, start + length);
  }

  #locate(): void {
    this.#reader.open(this.bytes, this.start, this.end);
    if (this.#reader.columnCount !== this.columnCount) throw wrongColumnCount();
    for (let column = 0; this.#reader.next(); column++) {
      this.#starts[column] = this.#reader.valueStart;
      this.#lengths[column] = this.#reader.valueLength;
    }
    this.#located = true;
  }
}

function wrongColumnCount(): PgError {
  return new PgError(
    SqlState.protocolViolation,
    'a row from server has another number of columns than its description',
  );
}
