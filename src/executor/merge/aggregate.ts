import { writeDataRow } from '../../protocol/data-row.ts';
import { MessageWriter } from '../../protocol/message-writer.ts';
import type { Accumulator } from './accumulator.ts';
import type { CompareRows } from './compare-rows.ts';
import { Row } from './row.ts';
import type { Advance, RowSource } from './row-source.ts';

export type AggregateOptions = {
  /** Equality of groups; null folds everything into exactly one row, also of no input. */
  readonly sameGroup: CompareRows | null;
  readonly accumulators: readonly Accumulator[];
  /** Input columns passed on unchanged from the group's first row. */
  readonly carry: readonly number[];
  /** Accumulators whose value is repeated in binary at the row's end, for a sort above. */
  readonly sortCopies: readonly Accumulator[];
  readonly inputColumnCount: number;
};

/**
 * Folds neighbouring rows of one group. Holds one group at a time, so memory does not grow with the
 * number of groups. Columns of its rows: the accumulators' results, `carry`, `sortCopies`.
 */
export class Aggregate implements RowSource {
  readonly row: Row;
  readonly #input: RowSource;
  readonly #options: AggregateOptions;
  readonly #writer = new MessageWriter(4096);
  /** The open group's first row. */
  readonly #first: Row;
  #isOpen = false;
  #isEnded = false;

  constructor(input: RowSource, options: AggregateOptions) {
    const { accumulators, carry, sortCopies, inputColumnCount } = options;
    this.row = new Row(accumulators.length + carry.length + sortCopies.length);
    this.#input = input;
    this.#options = options;
    this.#first = new Row(inputColumnCount);
    if (options.sameGroup === null) {
      this.#isOpen = true;
      for (const accumulator of accumulators) accumulator.begin(null);
    }
  }

  advance(): Advance {
    for (;;) {
      if (this.#isEnded) return 'end';
      const answer = this.#input.advance();
      if (answer === 'pending') return 'pending';
      if (answer === 'end') {
        this.#isEnded = true;
        if (!this.#isOpen) return 'end';
        this.#emit();
        return 'row';
      }
      if (this.#take(this.#input.row)) return 'row';
    }
  }

  /** True when the row began a new group and so finished the one before, which is in `row` now. */
  #take(row: Row): boolean {
    const { accumulators, sameGroup } = this.#options;
    const isNew = !this.#isOpen || (sameGroup !== null && sameGroup(this.#first, row) !== 0);
    const finishes = isNew && this.#isOpen;
    if (finishes) this.#emit();
    if (isNew) {
      this.#first.point(row.bytes, row.start, row.end);
      this.#isOpen = true;
      for (const accumulator of accumulators) accumulator.begin(row);
    }
    for (const accumulator of accumulators) accumulator.add(row);
    return finishes;
  }

  #emit(): void {
    const { accumulators, carry, sortCopies } = this.#options;
    const values = [
      ...accumulators.map((accumulator) => accumulator.result()),
      ...carry.map((column) => this.#first.value(column)),
      ...sortCopies.map((accumulator) => accumulator.sortValue()),
    ];
    writeDataRow(this.#writer, values);
    const frame = this.#writer.take();
    this.row.point(frame, 0, frame.length);
  }
}
