import type { SqlNode } from '../sql/ast.ts';

const ignoredFields = [
  'location',
  'name_location',
  'list_start',
  'list_end',
  'rexpr_list_start',
  'rexpr_list_end',
  'funcformat',
  'userFunction',
  'readsReference',
];

/** Equal wherever they stand in the text; the same literals, not merely equal ones. */
export function sameExpression(a: SqlNode, b: SqlNode): boolean {
  return canonical(a) === canonical(b);
}

/** Equal for trees that mean the same, wherever their parts stand in a text. */
export function canonical(node: SqlNode): string {
  return JSON.stringify(node, (field, value: unknown) =>
    ignoredFields.includes(field) ? undefined : inFieldOrder(value),
  );
}

function inFieldOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).filter(([, child]) => child !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
