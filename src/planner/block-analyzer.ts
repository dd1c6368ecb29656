import type { SqlNode } from '../sql/ast.ts';
import type { Block } from './block.ts';
import type { Cte, CteScope } from './cte-scope.ts';
import type { Filtered } from './keys/conjuncts.ts';
import type { Scope } from './scope.ts';
import type { StatementContext } from './statement-context.ts';

/** How FROM clauses reach the queries inside them. */
export type BlockAnalyzer = {
  nested(
    context: StatementContext,
    query: SqlNode | undefined,
    parent: Scope | null,
    ctes: CteScope | null,
  ): Block;
  /** null: its columns are not known (it writes, or it is being defined). */
  cte(context: StatementContext, cte: Cte): Block | null;
  /** All subqueries in the expressions; `filtered` when the expression is a WHERE or ON clause. */
  subLinks(
    context: StatementContext,
    expressions: unknown,
    scope: Scope,
    ctes: CteScope | null,
    filtered?: Filtered,
  ): void;
};
