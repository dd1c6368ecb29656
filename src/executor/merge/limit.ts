import type { Row } from './row.ts';
import type { Advance, RowSource } from './row-source.ts';

/** Skips `offset` rows, then passes `count` on (Infinity: all) and asks its input no further. */
export class Limit implements RowSource {
  readonly #input: RowSource;
  #toSkip: number;
  #toPass: number;

  constructor(input: RowSource, range: { readonly offset: number; readonly count: number }) {
    this.#input = input;
    this.#toSkip = range.offset;
    this.#toPass = range.count;
  }

  get row(): Row {
    return this.#input.row;
  }

  advance(): Advance {
    if (this.#toPass === 0) return 'end';
    for (;;) {
      const answer = this.#input.advance();
      if (answer !== 'row') return answer;
      if (this.#toSkip === 0) break;
      this.#toSkip--;
    }
    this.#toPass--;
    return 'row';
  }
}
