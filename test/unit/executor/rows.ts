import { Row } from '../../../src/executor/merge/row.ts';
import type { Advance, RowSource } from '../../../src/executor/merge/row-source.ts';
import type { SortKey } from '../../../src/planner/plan.ts';
import { DataRowReader, encodeDataRow } from '../../../src/protocol/data-row.ts';

export type Value = Buffer | string | null;

export function rowOf(values: readonly Value[]): Row {
  const frame = encodeDataRow(values);
  const row = new Row(values.length);
  row.point(frame, 0, frame.length);
  return row;
}

export function sortKey(column: number, fields: Partial<SortKey> = {}): SortKey {
  const defaults = { descending: false, nullsFirst: false, collation: 'c', label: `c${column}` };
  return { column, ...defaults, ...fields } as SortKey;
}

export function int4(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function int8(value: bigint | number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

export function float8(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

/** Gives out the rows in order, with a `pending` before each of those listed. */
export class ListSource implements RowSource {
  readonly #rows: readonly Row[];
  readonly #pendingBefore: Set<number>;
  #position = -1;

  constructor(rows: readonly (readonly Value[])[], pendingBefore: readonly number[] = []) {
    this.#rows = rows.map(rowOf);
    this.#pendingBefore = new Set(pendingBefore);
  }

  get row(): Row {
    const row = this.#rows[this.#position];
    if (row === undefined) throw new Error('there is no current row');
    return row;
  }

  advance(): Advance {
    const next = this.#position + 1;
    if (this.#pendingBefore.delete(next)) return 'pending';
    if (next >= this.#rows.length) return 'end';
    this.#position = next;
    return 'row';
  }
}

/** All rows of a source as texts; asks again after each `pending`, up to a bound. */
export function drain(source: RowSource): (string | null)[][] {
  const rows: (string | null)[][] = [];
  for (let asked = 0; asked < 100_000; asked++) {
    const answer = source.advance();
    if (answer === 'end') {
      if (source.advance() !== 'end') throw new Error('a source went on after its end');
      return rows;
    }
    if (answer === 'row') {
      const { bytes, start, end } = source.row;
      rows.push(textsOf(bytes, start, end));
    }
  }
  throw new Error('the source does not end');
}

/** The values of a DataRow frame, read by protocol/data-row.ts rather than by Row. */
export function textsOf(bytes: Buffer, start: number, end: number): (string | null)[] {
  const reader = new DataRowReader();
  reader.open(bytes, start, end);
  const values: (string | null)[] = [];
  while (reader.next()) {
    const { valueStart, valueLength } = reader;
    const isNull = valueLength < 0;
    values.push(isNull ? null : bytes.toString('latin1', valueStart, valueStart + valueLength));
  }
  if (reader.valueStart + Math.max(reader.valueLength, 0) !== end) {
    throw new Error('the row is longer than its columns');
  }
  return values;
}
