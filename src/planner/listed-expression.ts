import type { SqlNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import type { Output } from './outputs.ts';
import { resolveColumn, type Scope } from './scope.ts';

/**
 * The expression that an element of ORDER BY or DISTINCT ON means: an ordinal and the name of a
 * result column stand for that column (SQL-92). null when it cannot be told.
 */
export function sortExpression(node: SqlNode, outputs: readonly Output[]): SqlNode | null {
  const ordinal = ordinalOf(node);
  if (ordinal !== null) return outputs[ordinal - 1]?.expression ?? null;
  if (isNumber(node)) return null;
  return namedOutput(node, outputs) ?? node;
}

/** The same for GROUP BY, where the columns of FROM come before those of the result. */
export function groupExpression(
  node: SqlNode,
  outputs: readonly Output[],
  scope: Scope,
): SqlNode | null {
  const ordinal = ordinalOf(node);
  if (ordinal !== null) return outputs[ordinal - 1]?.expression ?? null;
  if (isNumber(node)) return null;
  const own = { from: scope.from, parent: null };
  if (resolveColumn(own, node) !== null) return node;
  return namedOutput(node, outputs) ?? node;
}

function ordinalOf(node: SqlNode): number | null {
  if (!('A_Const' in node) || node.A_Const.ival === undefined) return null;
  return node.A_Const.ival.ival ?? 0;
}

function isNumber(node: SqlNode): boolean {
  return 'A_Const' in node || 'ParamRef' in node;
}

function namedOutput(node: SqlNode, outputs: readonly Output[]): SqlNode | null {
  if (!('ColumnRef' in node)) return null;
  const names = stringsOf(node.ColumnRef.fields);
  if (names.length !== 1) return null;
  return outputs.find((output) => output.column.name === names[0])?.expression ?? null;
}
