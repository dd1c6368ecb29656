import type { SelectNode } from '../sql/ast.ts';
import type { BlockTraits } from './block-traits.ts';
import type { Output } from './outputs.ts';
import type { Column, Scope, Shape } from './scope.ts';

/** One query: a SELECT with its FROM, VALUES, or a set operation over others. */
export type Block = {
  readonly columns: readonly Column[];
  /** More columns may exist than are known here. */
  readonly open: boolean;
  /** Of the result, when every shard runs the query for itself. */
  readonly shape: Shape;
  /** Its rows come in the order of an ORDER BY, its own or one inside it. */
  readonly isSorted: boolean;
  /** Instances of the query: numbers in [start, end). */
  readonly start: number;
  readonly end: number;
  readonly body:
    | SelectBody
    | { readonly kind: 'values' }
    | {
        readonly kind: 'set-operation';
        readonly select: SelectNode;
        readonly arms: readonly Block[];
      };
};

export type SelectBody = {
  readonly kind: 'select';
  readonly select: SelectNode;
  readonly scope: Scope;
  readonly fromShape: Shape;
  /** null when `*` names columns that are not known. */
  readonly outputs: readonly Output[] | null;
  readonly traits: BlockTraits;
};
