import type { SqlNode } from '../../sql/ast.ts';
import { isTagged } from '../../sql/walk.ts';

/**
 * A copy of the tree in which `replace` has been asked about every tagged node, parents first; null:
 * the node stays, and those inside it are asked about.
 */
export function mapNodes<Tree>(tree: Tree, replace: (node: SqlNode) => SqlNode | null): Tree {
  return mapped(tree, replace) as Tree;
}

function mapped(value: unknown, replace: (node: SqlNode) => SqlNode | null): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item): unknown => mapped(item, replace));
  const replacement = isTagged(value) ? replace(value) : null;
  if (replacement !== null) return replacement;
  const copy: { [field: string]: unknown } = {};
  for (const [field, child] of Object.entries(value)) copy[field] = mapped(child, replace);
  return copy;
}
