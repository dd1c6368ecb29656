import type { SelectNode } from '../../sql/ast.ts';

/** A query cut in two. */
export type QueryParts = {
  /** Runs on every shard over its own rows; the answer needs the rows of all, in any order. */
  readonly partial: SelectNode;
  /** Names of its columns. */
  readonly columns: readonly string[];
  /** Makes the answer from them: its FROM is the result of that name alone. */
  readonly final: SelectNode;
};
