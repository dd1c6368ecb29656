import type { SqlNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import { walk } from '../../sql/walk.ts';
import { replaceNodes } from '../intermediate/replace-nodes.ts';
import { reference } from '../outputs.ts';
import { hiddenPrefix } from '../tree-builders.ts';

/** Another value for each row, wherever the row is; they read nothing. */
const perRow = new Set(['random', 'gen_random_uuid', 'uuidv4', 'uuidv7', 'clock_timestamp']);

export type WithoutPerRow<Tree> = {
  readonly tree: Tree;
  /** Puts the calls back. */
  restore(changed: SqlNode): SqlNode;
};

/**
 * Sets aside what each row's own shard may compute as well as any other server: calls of volatile
 * functions outside of subqueries. A column that nobody knows stands in their place.
 */
export function withoutPerRow<Tree>(tree: Tree): WithoutPerRow<Tree> {
  const places = new Map<object, SqlNode>();
  walk(tree, (node) => {
    if ('SubLink' in node || 'SelectStmt' in node) return false;
    const name = 'FuncCall' in node ? builtinName(node.FuncCall.funcname) : null;
    const isPlain = 'FuncCall' in node && (node.FuncCall.args ?? []).length === 0;
    if (isPlain && perRow.has(name ?? '')) {
      places.set(node, reference([`${hiddenPrefix}value_${places.size + 1}`]));
    }
    return true;
  });
  if (places.size === 0) return { tree, restore: (changed) => changed };
  const calls = new Map<object, unknown>([...places].map(([call, place]) => [place, call]));
  return {
    tree: replaceNodes(tree, places),
    restore: (changed) => replaceNodes(changed, calls),
  };
}
