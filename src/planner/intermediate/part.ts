import type { SelectNode } from '../../sql/ast.ts';
import type { Column } from '../scope.ts';

/** A part of a statement that can be asked for by itself. */
export type Part = {
  readonly kind: 'query' | 'table';
  readonly select: SelectNode;
  readonly columns: readonly Column[];
  /** The statement with the result of that name in the part's place. */
  replace(resultName: string): SelectNode;
};
