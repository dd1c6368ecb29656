import type { SqlNode } from '../sql/ast.ts';

/** A SELECT statement with slots in place of its literals. */
export type SelectTree = {
  readonly statement: SqlNode;
  /** False: a literal shapes the tree in a way that slots do not show; it cannot be rewritten. */
  readonly allSlotsFound: boolean;
};
