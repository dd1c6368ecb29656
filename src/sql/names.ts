import type { SqlNode } from './ast.ts';

/** The strings of a list of String nodes: a name with its qualifiers. */
export function stringsOf(nodes: readonly SqlNode[] | undefined): readonly string[] {
  return (nodes ?? []).map((node) => ('String' in node ? (node.String.sval ?? '') : '*'));
}

/** The last part of a name that is unqualified or in pg_catalog; null for one of another schema. */
export function builtinName(nodes: readonly SqlNode[] | undefined): string | null {
  const parts = stringsOf(nodes);
  if (parts.length === 1) return parts[0] ?? null;
  return parts.length === 2 && parts[0] === 'pg_catalog' ? (parts[1] ?? null) : null;
}
