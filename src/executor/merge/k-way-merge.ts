import { assert } from '../../base/assert.ts';
import type { CompareRows } from './compare-rows.ts';
import type { Row } from './row.ts';
import type { Advance, RowSource } from './row-source.ts';

type Head = { readonly source: RowSource; readonly position: number };

/**
 * Merges inputs that are each sorted by `compare`. Ties keep the order of the inputs, so that equal
 * statements over equal rows answer alike. A binary heap of the inputs' current rows: a row
 * costs about log2(inputs) comparisons, and none when its input stays the smallest of two.
 */
export class KWayMerge implements RowSource {
  readonly #compare: CompareRows;
  /** Inputs whose next row is not known; they must answer before anything can be emitted. */
  #unknown: Head[];
  /** Smallest first; every input here has a current row. */
  readonly #heap: Head[] = [];
  /** The top's row has been given out: it advances first. */
  #topIsSpent = false;

  constructor(inputs: readonly RowSource[], compare: CompareRows) {
    this.#compare = compare;
    this.#unknown = inputs.map((source, position) => ({ source, position }));
  }

  get row(): Row {
    const top = this.#heap[0];
    assert(top !== undefined, 'a row is read only after advance() found one');
    return top.source.row;
  }

  advance(): Advance {
    if (this.#unknown.length > 0) this.#ask();
    if (this.#topIsSpent && !this.#replaceTop()) return 'pending';
    if (this.#unknown.length > 0) return 'pending';
    if (this.#heap.length === 0) return 'end';
    this.#topIsSpent = true;
    return 'row';
  }

  #ask(): void {
    const still: Head[] = [];
    for (const head of this.#unknown) {
      const answer = head.source.advance();
      if (answer === 'pending') still.push(head);
      else if (answer === 'row') this.#push(head);
    }
    this.#unknown = still;
  }

  /** False while the input of the row given out last has not said what comes next. */
  #replaceTop(): boolean {
    const answer = this.#heap[0]?.source.advance();
    if (answer === 'pending') return false;
    this.#topIsSpent = false;
    if (answer === 'end') {
      const last = this.#heap.pop();
      if (this.#heap.length === 0 || last === undefined) return true;
      this.#heap[0] = last;
    }
    this.#sink();
    return true;
  }

  #precedes(left: Head, right: Head): boolean {
    const order = this.#compare(left.source.row, right.source.row);
    return order < 0 || (order === 0 && left.position < right.position);
  }

  #push(head: Head): void {
    const heap = this.#heap;
    let at = heap.push(head) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !this.#precedes(head, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = head;
  }

  /** Moves the top down to its place. */
  #sink(): void {
    const heap = this.#heap;
    const head = heap[0];
    if (head === undefined) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      let child = heap[below];
      if (child === undefined) break;
      const sibling = heap[below + 1];
      if (sibling !== undefined && this.#precedes(sibling, child)) {
        child = sibling;
        below++;
      }
      if (!this.#precedes(child, head)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = head;
  }
}
