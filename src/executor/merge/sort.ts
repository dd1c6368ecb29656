import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CompareRows } from './compare-rows.ts';
import { Row } from './row.ts';
import type { Advance, RowSource } from './row-source.ts';

/** What a row in memory costs beside its bytes: the cursor object and its two arrays. */
const rowOverheadBytes = 256;

/**
 * Takes all rows of its input, then gives them out in order; equal rows in the order they came. It
 * stops with 53400 when the rows need more than `bytesMax` of memory.
 */
export class Sort implements RowSource {
  readonly #input: RowSource;
  readonly #compare: CompareRows;
  readonly #bytesMax: number;
  #rows: Row[] = [];
  #bytes = 0;
  /** Index of the current row; null while rows are still being taken in. */
  #position: number | null = null;

  constructor(input: RowSource, compare: CompareRows, bytesMax: number) {
    this.#input = input;
    this.#compare = compare;
    this.#bytesMax = bytesMax;
  }

  get row(): Row {
    const row = this.#rows[this.#position ?? -1];
    assert(row !== undefined, 'a row is read only after advance() found one');
    return row;
  }

  advance(): Advance {
    if (this.#position === null) {
      if (this.#takeIn() === 'pending') return 'pending';
      this.#rows.sort(this.#compare);
      this.#position = -1;
    }
    if (this.#position + 1 >= this.#rows.length) {
      this.#rows = [];
      return 'end';
    }
    this.#position++;
    return 'row';
  }

  #takeIn(): Advance {
    for (;;) {
      const answer = this.#input.advance();
      if (answer !== 'row') return answer;
      const { bytes, start, end, columnCount } = this.#input.row;
      this.#bytes += end - start + rowOverheadBytes + 8 * columnCount;
      if (this.#bytes > this.#bytesMax) throw tooLarge(this.#bytesMax);
      const copy = new Row(columnCount);
      copy.point(Buffer.from(bytes.subarray(start, end)), 0, end - start);
      this.#rows.push(copy);
    }
  }
}

function tooLarge(bytesMax: number): PgError {
  return new PgError(
    SqlState.configurationLimitExceeded,
    `sorting the groups of all shards needs more than ${bytesMax} bytes`,
    { hint: 'Make fewer groups, order by the grouping columns, or raise limits.merge_bytes_max.' },
  );
}
