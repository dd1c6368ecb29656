/**
 * A copy of the tree with some of its objects replaced, found by identity. What holds none of them is
 * shared, not copied.
 */
export function replaceNodes<Tree>(tree: Tree, replacements: ReadonlyMap<object, unknown>): Tree {
  return replaced(tree, replacements) as Tree;
}

function replaced(value: unknown, replacements: ReadonlyMap<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const replacement = replacements.get(value);
  if (replacement !== undefined) return replacement;
  if (Array.isArray(value)) {
    const items = value.map((item) => replaced(item, replacements));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  let isChanged = false;
  const copy: { [field: string]: unknown } = {};
  for (const [field, child] of Object.entries(value)) {
    copy[field] = replaced(child, replacements);
    if (copy[field] !== child) isChanged = true;
  }
  return isChanged ? copy : value;
}
