import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { BackendCode } from './message-code.ts';
import { MessageWriter } from './message-writer.ts';

/**
 * Walks the columns of a DataRow without making strings or views. One reader serves any number
 * of rows: `open()` a frame, then `next()` moves to each column in turn.
 */
export class DataRowReader {
  columnCount = 0;
  /** Offset of the current value in the chunk. */
  valueStart = 0;
  /** Bytes of the current value; -1 for null. */
  valueLength = -1;

  #chunk: Buffer = noBytes;
  #end = 0;
  #offset = 0;
  #columnsLeft = 0;

  /** Throws PgError 08P01, as `next()` and `seek()` do. */
  open(chunk: Buffer, start: number, end: number): void {
    if (end - start < 7) throw malformed();
    this.columnCount = chunk.readUInt16BE(start + 5);
    this.#chunk = chunk;
    this.#end = end;
    this.#offset = start + 7;
    this.#columnsLeft = this.columnCount;
  }

  /** False behind the last column. */
  next(): boolean {
    if (this.#columnsLeft === 0) return false;
    this.#columnsLeft--;
    if (this.#end - this.#offset < 4) throw malformed();
    const length = this.#chunk.readInt32BE(this.#offset);
    const valueStart = this.#offset + 4;
    if (length < -1 || length > this.#end - valueStart) throw malformed();
    this.valueStart = valueStart;
    this.valueLength = length;
    this.#offset = length > 0 ? valueStart + length : valueStart;
    return true;
  }

  /** Moves on to column `index`, which must lie ahead: 0 is the first. False when there is none. */
  seek(index: number): boolean {
    while (this.columnCount - this.#columnsLeft <= index) if (!this.next()) return false;
    return true;
  }
}

/** The values as strings, for rows of our own questions. Throws PgError 08P01. */
export function decodeTextRow(chunk: Buffer, start: number, end: number): (string | null)[] {
  const reader = new DataRowReader();
  reader.open(chunk, start, end);
  const values: (string | null)[] = [];
  while (reader.next()) {
    const { valueStart, valueLength } = reader;
    const isNull = valueLength < 0;
    values.push(isNull ? null : chunk.toString('utf8', valueStart, valueStart + valueLength));
  }
  return values;
}

/** Appends a DataRow; text and binary values alike, null is NULL. */
export function writeDataRow(
  writer: MessageWriter,
  values: readonly (Buffer | string | null)[],
): void {
  writer.begin(BackendCode.dataRow).int16(values.length);
  for (const value of values) writer.value(value);
  writer.end();
}

export function encodeDataRow(values: readonly (Buffer | string | null)[]): Buffer {
  const writer = new MessageWriter();
  writeDataRow(writer, values);
  return writer.take();
}

function malformed(): PgError {
  return new PgError(SqlState.protocolViolation, 'malformed row from server');
}

const noBytes = Buffer.alloc(0);
