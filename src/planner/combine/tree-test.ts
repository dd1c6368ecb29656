import type { SqlNode } from '../../sql/ast.ts';
import { isTagged } from '../../sql/walk.ts';

/**
 * Whether every part of a tree passes: `verdict` decides for a node with all that is in it, or leaves
 * it, with null, to its parts. Each node is judged once, however often trees around it are asked about.
 */
export class TreeTest {
  readonly #verdict: (node: SqlNode) => boolean | null;
  readonly #known = new WeakMap<object, boolean>();

  constructor(verdict: (node: SqlNode) => boolean | null) {
    this.#verdict = verdict;
  }

  passes(tree: unknown): boolean {
    if (typeof tree !== 'object' || tree === null) return true;
    const known = this.#known.get(tree);
    if (known !== undefined) return known;
    const verdict = isTagged(tree) ? this.#verdict(tree) : null;
    const answer = verdict ?? Object.values(tree).every((child) => this.passes(child));
    this.#known.set(tree, answer);
    return answer;
  }
}
