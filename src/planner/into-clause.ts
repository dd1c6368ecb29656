import type { SelectNode } from '../sql/ast.ts';

type Into = NonNullable<SelectNode['intoClause']>;

/** SELECT INTO and the query without it; in a set operation it stands in the first SELECT. */
export function intoClause(
  select: SelectNode,
): { readonly into: Into; readonly query: SelectNode } | null {
  const { intoClause: into, ...query } = select;
  if (into !== undefined) return { into, query };
  const first = select.larg === undefined ? null : intoClause(select.larg);
  return first === null ? null : { ...first, query: { ...select, larg: first.query } };
}
