import type { SqlNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import { starFields } from './outputs.ts';
import { findItem, type NamedItem, resolveColumn, type Scope } from './scope.ts';

/** `t`, `t.*`: all columns of an item of the query's own FROM as one value. */
export function isWholeRow(scope: Scope, node: SqlNode): boolean {
  if (starFields(node) !== null) return true;
  const own = scope.from.filter((item) => !item.open);
  return wholeRowItem({ from: own, parent: null }, node, scope) !== null;
}

/**
 * The item of FROM whose row a bare name stands for; null for anything else. Columns that `seen`
 * shows come first.
 */
export function wholeRowItem(scope: Scope, node: SqlNode, seen: Scope = scope): NamedItem | null {
  if (!('ColumnRef' in node) || starFields(node) !== null) return null;
  const [name, ...more] = stringsOf(node.ColumnRef.fields);
  if (name === undefined || more.length > 0 || resolveColumn(seen, node) !== null) return null;
  return findItem(scope, null, name);
}
