import type { SqlNode } from '../../sql/ast.ts';
import { isTagged } from '../../sql/walk.ts';
import type { Scope } from '../scope.ts';
import { normalForm, slotlessForm } from './normal-form.ts';

/** The grouping expressions of a query, and the shards' columns that hold them. */
export class GroupKeys {
  readonly #scope: Scope;
  readonly #columns = new Map<string, SqlNode>();
  readonly #slotless = new Set<string>();
  /** Forms are long to make: only for nodes of the size of a key, and once. */
  readonly #sizes = new Set<number>();
  readonly #sizeOf = new WeakMap<object, number>();
  readonly #found = new WeakMap<SqlNode, SqlNode>();
  readonly #missed = new WeakSet<SqlNode>();

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  add(expression: SqlNode, column: SqlNode): void {
    this.#columns.set(normalForm(this.#scope, expression), column);
    this.#slotless.add(slotlessForm(this.#scope, expression));
    this.#sizes.add(this.#size(expression));
  }

  /** Two that differ in their literals only are one if these turn out to be equal. */
  get areDistinct(): boolean {
    return this.#slotless.size === this.#columns.size;
  }

  /** The column of the key that the expression is; null for any other expression. */
  columnOf(expression: SqlNode): SqlNode | null {
    if (!this.#isOfSize(expression) || this.#missed.has(expression)) return null;
    const known = this.#found.get(expression);
    if (known !== undefined) return known;
    const column = this.#columns.get(normalForm(this.#scope, expression)) ?? null;
    if (column === null) this.#missed.add(expression);
    else this.#found.set(expression, column);
    return column;
  }

  /** Literals decide whether it is a key. */
  mayBeKey(expression: SqlNode): boolean {
    return this.#isOfSize(expression) && this.#slotless.has(slotlessForm(this.#scope, expression));
  }

  #isOfSize(expression: SqlNode): boolean {
    return this.#sizes.has(this.#size(expression));
  }

  /** In nodes, where a column and a literal are one however they are written. */
  #size(tree: unknown): number {
    if (typeof tree !== 'object' || tree === null) return 0;
    const known = this.#sizeOf.get(tree);
    if (known !== undefined) return known;
    let size = isTagged(tree) ? 1 : 0;
    if (!('ColumnRef' in tree || 'ParamRef' in tree || 'A_Const' in tree)) {
      for (const child of Object.values(tree)) size += this.#size(child);
    }
    this.#sizeOf.set(tree, size);
    return size;
  }
}
