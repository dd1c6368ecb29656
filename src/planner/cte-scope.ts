import type { SqlNode, WithNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import type { Block } from './block.ts';
import type { Scope } from './scope.ts';

/** A name that WITH defines, and what is noted about it during the analysis. */
export type Cte = {
  readonly name: string;
  readonly query: SqlNode;
  readonly columnNames: readonly string[];
  /** The outer queries that its query can see. */
  readonly parent: Scope | null;
  /** The names that its query can see. */
  visible: CteScope | null;
  referenced: boolean;
  /** A reference inside its own query is a recursive one. */
  underAnalysis: boolean;
  /** Its query names itself. */
  recursive: boolean;
  /** What every reference means, if its query reads no distributed table. */
  block: Block | null;
};

/** A chain of the names in sight, the latest first. */
export type CteScope = { readonly cte: Cte; readonly outer: CteScope | null };

export function findCte(scope: CteScope | null, name: string): Cte | null {
  for (let link = scope; link !== null; link = link.outer) {
    if (link.cte.name === name) return link.cte;
  }
  return null;
}

/** Adds the names of a WITH clause; under RECURSIVE each sees all of them, else those before it. */
export function withCtes(
  clause: WithNode | undefined,
  outer: CteScope | null,
  parent: Scope | null,
): { readonly scope: CteScope | null; readonly defined: readonly Cte[] } {
  let scope = outer;
  const defined: Cte[] = [];
  for (const node of clause?.ctes ?? []) {
    if (!('CommonTableExpr' in node)) continue;
    const { ctename: name = '', ctequery: query, aliascolnames } = node.CommonTableExpr;
    if (query === undefined) continue;
    const columnNames = stringsOf(aliascolnames);
    const flags = { referenced: false, underAnalysis: false, recursive: false, block: null };
    const cte = { name, query, columnNames, parent, visible: scope, ...flags };
    scope = { cte, outer: scope };
    defined.push(cte);
  }
  if (clause?.recursive === true) for (const cte of defined) cte.visible = scope;
  return { scope, defined };
}
