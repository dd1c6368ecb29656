import { assert } from '../../base/assert.ts';
import { Append } from '../merge/append.ts';
import type { Row } from '../merge/row.ts';
import type { Advance, RowSource } from '../merge/row-source.ts';

/**
 * One row of each of the inputs that `order` numbers, one after the other. An input that has fewer
 * (a trigger kept a row away) is passed over; rows beyond the order come last.
 */
export class InOrder implements RowSource {
  readonly #inputs: readonly RowSource[];
  readonly #order: readonly number[];
  readonly #rest: RowSource;
  #at = 0;
  #current: RowSource | null = null;

  constructor(inputs: readonly RowSource[], order: readonly number[]) {
    this.#inputs = inputs;
    this.#order = order;
    this.#rest = new Append(inputs);
  }

  get row(): Row {
    assert(this.#current !== null, 'a row is read only after advance() found one');
    return this.#current.row;
  }

  advance(): Advance {
    for (; this.#at < this.#order.length; this.#at += 1) {
      const input = this.#inputs[this.#order[this.#at] ?? 0];
      const answer = input?.advance() ?? 'end';
      if (answer === 'pending') return answer;
      if (answer === 'end' || input === undefined) continue;
      this.#current = input;
      this.#at += 1;
      return answer;
    }
    this.#current = this.#rest;
    return this.#rest.advance();
  }
}
