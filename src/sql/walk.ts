import type { SqlNode } from './ast.ts';

/**
 * Visits every tagged node at and below `root`, parents first; `visit` returns false to keep out
 * of a node. Nodes that the tree holds without a tag (a window, an arm of UNION) are passed through.
 */
export function walk(root: unknown, visit: (node: SqlNode) => boolean): void {
  if (typeof root !== 'object' || root === null) return;
  if (Array.isArray(root)) {
    for (const item of root) walk(item, visit);
    return;
  }
  // Statements are walked many times: each node's fields are listed once, most hold no node.
  const keys = Object.keys(root);
  if (isTag(keys) && !visit(root as SqlNode)) return;
  for (const key of keys) {
    const value = (root as { readonly [field: string]: unknown })[key];
    if (typeof value === 'object') walk(value, visit);
  }
}

/** A tagged node is an object with one field, whose name begins with a capital. */
export function isTagged(value: object): value is SqlNode {
  return isTag(Object.keys(value));
}

function isTag(keys: readonly string[]): boolean {
  const first = keys[0]?.charCodeAt(0) ?? 0;
  return keys.length === 1 && first >= 0x41 && first <= 0x5a;
}

/** The grammar's name of the node, e.g. `FuncCall`. */
export function tagOf(node: SqlNode): string {
  return Object.keys(node)[0] ?? '';
}
