import type { RangeVarNode, SqlNode } from '../sql/ast.ts';
import type { RelationSchema } from './schema.ts';
import type { Column } from './scope.ts';

/** One occurrence of a table. */
export type Leaf = {
  readonly node: RangeVarNode;
  readonly alias: string;
  readonly relation: RelationSchema;
  /** null: not distributed. */
  readonly instance: number | null;
  /** By the names that the query gives them. */
  readonly columns: readonly Column[];
  /** Conditions on its own columns alone that every row of it must meet in order to matter. */
  readonly filters: SqlNode[];
};
