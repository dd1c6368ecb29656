import type { SqlNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import type { Output } from './outputs.ts';
import { sameExpression } from './same-expression.ts';
import { resolveColumn, type Scope } from './scope.ts';

/**
 * The expression that an element of ORDER BY or DISTINCT ON means: an ordinal and the name of a
 * result column stand for that column (SQL-92). null when it cannot be told.
 */
export function sortExpression(node: SqlNode, outputs: readonly Output[]): SqlNode | null {
  const ordinal = ordinalOf(node);
  if (ordinal !== null) return outputs[ordinal - 1]?.expression ?? null;
  if (isNumber(node)) return null;
  const named = namedOutput(node, outputs);
  return named === 'none' ? node : named;
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
  const named = namedOutput(node, outputs);
  if (named === 'none') return node;
  return mayBeColumn(scope, nameOf(node)) ? null : named;
}

function mayBeColumn(scope: Scope, name: string | null): boolean {
  return scope.from.some(
    (item) => item.open || item.columns.some((column) => column.name === name),
  );
}

function ordinalOf(node: SqlNode): number | null {
  if (!('A_Const' in node) || node.A_Const.ival === undefined) return null;
  return node.A_Const.ival.ival ?? 0;
}

function isNumber(node: SqlNode): boolean {
  return 'A_Const' in node || 'ParamRef' in node;
}

/** null: several results of that name differ, which PostgreSQL refuses. */
function namedOutput(node: SqlNode, outputs: readonly Output[]): SqlNode | null | 'none' {
  const name = nameOf(node);
  const found = outputs.filter((output) => output.column.name === name);
  const [first, ...others] = found.map((output) => output.expression);
  if (name === null || first === undefined) return 'none';
  const isOne = others.every(
    (other) => first !== null && other !== null && sameExpression(first, other),
  );
  return isOne ? first : null;
}

/** Of an unqualified column; null for anything else. */
function nameOf(node: SqlNode): string | null {
  if (!('ColumnRef' in node)) return null;
  const names = stringsOf(node.ColumnRef.fields);
  return names.length === 1 ? (names[0] ?? null) : null;
}
