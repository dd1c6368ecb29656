/** Where a value comes from when a cached statement runs. */
export type ValueRef =
  /** The n-th literal that the lexer cut out of this text, from 0. */
  | { readonly kind: 'literal'; readonly slot: number }
  /** The client's `$n`; `index` is n - 1. */
  | { readonly kind: 'parameter'; readonly index: number };
