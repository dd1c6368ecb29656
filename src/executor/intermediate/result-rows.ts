import { assert } from '../../base/assert.ts';
import type { LongValue } from '../../protocol/long-bind.ts';
import type { GatheredResult } from './result-column.ts';
import { TextArray } from './text-array.ts';

/** Of a text[] in binary form that has elements; see TextArray. */
const headerBytes = 20;

type Column = { readonly bytes: Buffer; readonly starts: Uint32Array };

/** The rows of a gathered result, so that each can be looked at and sent to a place of its own. */
export class ResultRows {
  readonly #result: GatheredResult;
  readonly #columns: readonly Column[];
  readonly count: number;

  constructor(result: GatheredResult) {
    assert(result.arrays !== null, 'the rows have come in');
    this.#result = result;
    this.#columns = result.arrays.map(columnOf);
    this.count = this.#columns[0]?.starts.length ?? 0;
  }

  typeOid(column: number): number {
    return this.#result.columns[column]?.typeOid ?? 0;
  }

  /** null: NULL. A view of the row's own bytes. */
  value(row: number, column: number): Buffer | null {
    const found = this.#columns[column];
    const start = found?.starts[row];
    assert(found !== undefined && start !== undefined, 'a row and a column of the result');
    const length = found.bytes.readInt32BE(start - 4);
    return length < 0 ? null : found.bytes.subarray(start, start + length);
  }

  /** The result with these of its rows, those of `others` after them. */
  static pick(
    parts: readonly { readonly from: ResultRows; readonly rows: readonly number[] }[],
  ): GatheredResult {
    const [first] = parts;
    assert(first !== undefined, 'rows of one result at least');
    const { columns } = first.from.#result;
    const arrays = columns.map((_, column) => {
      const array = new TextArray();
      for (const { from, rows } of parts) {
        const { bytes, starts } = from.#columns[column] ?? { bytes: noBytes, starts: noStarts };
        for (const row of rows) {
          const start = starts[row] ?? 0;
          array.add(bytes, start, bytes.readInt32BE(start - 4));
        }
      }
      return array.finish();
    });
    return { columns, arrays };
  }
}

const noBytes = Buffer.alloc(0);
const noStarts = new Uint32Array(0);

function columnOf({ parts }: LongValue): Column {
  const bytes = parts.length === 1 ? (parts[0] ?? noBytes) : Buffer.concat(parts);
  if (bytes.length < headerBytes) return { bytes, starts: noStarts };
  const starts = new Uint32Array(bytes.readUInt32BE(12));
  let at = headerBytes;
  for (let row = 0; row < starts.length; row += 1) {
    starts[row] = at + 4;
    at += 4 + Math.max(0, bytes.readInt32BE(at));
  }
  return { bytes, starts };
}
