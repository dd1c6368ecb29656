import { assert } from '../../base/assert.ts';
import type { Row } from './row.ts';
import type { Advance, RowSource } from './row-source.ts';

/**
 * All rows of all inputs in no promised order: whichever has rows goes on, and stays while it has
 * some, so that runs of rows lie side by side in memory and leave in one piece.
 */
export class Append implements RowSource {
  readonly #open: RowSource[];
  #current = 0;

  constructor(inputs: readonly RowSource[]) {
    this.#open = [...inputs];
  }

  get row(): Row {
    const input = this.#open[this.#current];
    assert(input !== undefined, 'a row is read only after advance() found one');
    return input.row;
  }

  advance(): Advance {
    let asked = 0;
    while (asked < this.#open.length) {
      if (this.#current >= this.#open.length) this.#current = 0;
      const answer = this.#open[this.#current]?.advance();
      if (answer === 'row') return 'row';
      if (answer === 'end') {
        this.#open.splice(this.#current, 1);
      } else {
        this.#current++;
        asked++;
      }
    }
    return this.#open.length === 0 ? 'end' : 'pending';
  }
}
