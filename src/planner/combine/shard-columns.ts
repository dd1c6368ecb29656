import type { SqlNode } from '../../sql/ast.ts';
import { reference } from '../outputs.ts';
import type { Scope } from '../scope.ts';
import { target } from '../tree-builders.ts';
import { normalForm } from './normal-form.ts';

/** What the result is called where all shards' rows are read. */
export const resultAlias = 'part';

/** The columns that the shards are asked for, each expression once. */
export class ShardColumns {
  readonly #scope: Scope;
  readonly #indexes = new Map<string, number>();
  readonly #expressions: SqlNode[] = [];

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  get expressions(): readonly SqlNode[] {
    return this.#expressions;
  }

  get names(): readonly string[] {
    return this.#expressions.map((_, index) => nameOf(index));
  }

  get targets(): SqlNode[] {
    return this.#expressions.map((expression, index) => target(expression, nameOf(index)));
  }

  /** Its position from 0. */
  add(expression: SqlNode): number {
    const form = normalForm(this.#scope, expression);
    const known = this.#indexes.get(form);
    if (known !== undefined) return known;
    const index = this.#expressions.push(expression) - 1;
    this.#indexes.set(form, index);
    return index;
  }

  /** The column as the query over all rows names it. */
  static reference(index: number): SqlNode {
    return reference([resultAlias, nameOf(index)]);
  }
}

/** COLLATE is said again of the column: it wins over other collations, that of a column does not. */
export function collatedLike(expression: SqlNode, column: SqlNode): SqlNode {
  if (!('CollateClause' in expression)) return column;
  return { CollateClause: { ...expression.CollateClause, arg: column } };
}

function nameOf(index: number): string {
  return `c${index + 1}`;
}
