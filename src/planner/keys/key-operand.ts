import type { SqlNode, TypeNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import type { KeyValue } from '../plan.ts';
import { type Column, resolveColumn, type Scope } from '../scope.ts';
import type { StatementContext } from '../statement-context.ts';

/** A value that is known when the statement runs, or NULL as written. */
export type Operand = KeyValue | 'null';

const byteOrder = ['C', 'POSIX', 'ucs_basic'];

/** A literal or parameter, perhaps cast to a type without modifiers; null for anything else. */
export function valueOperand(
  context: StatementContext,
  node: SqlNode | undefined,
  keyType: string,
): Operand | null {
  if (node === undefined) return null;
  if ('A_Const' in node) return node.A_Const.isnull === true ? 'null' : null;
  if ('CollateClause' in node) {
    return isByteOrder(node) ? valueOperand(context, node.CollateClause.arg, keyType) : null;
  }
  if (!('TypeCast' in node)) return context.keyValue(node, null, keyType);
  const castType = simpleTypeName(node.TypeCast.typeName);
  const argument = node.TypeCast.arg;
  if (castType === null || argument === undefined) return null;
  if ('A_Const' in argument) return argument.A_Const.isnull === true ? 'null' : null;
  return context.keyValue(argument, castType, keyType);
}

/** A built-in type's name (`_int8` for an array of int8); null with a length, SETOF, %TYPE ... */
export function simpleTypeName(type: TypeNode | undefined): string | null {
  if (type === undefined || type.setof === true || type.pct_type === true) return null;
  if ((type.typmods ?? []).length > 0) return null;
  const name = builtinName(type.names);
  const dimensions = (type.arrayBounds ?? []).length;
  if (name === null || dimensions > 1) return null;
  return dimensions === 1 ? `_${name}` : name;
}

export type ColumnOperand = {
  readonly column: Column;
  /** An explicit COLLATE says byte order. */
  readonly byteOrder: boolean;
};

/** A bare column, perhaps under a byte-order COLLATE. */
export function columnOperand(scope: Scope, node: SqlNode | undefined): ColumnOperand | null {
  if (node === undefined) return null;
  if ('CollateClause' in node) {
    const inner = isByteOrder(node) ? columnOperand(scope, node.CollateClause.arg) : null;
    return inner === null ? null : { column: inner.column, byteOrder: true };
  }
  const column = resolveColumn(scope, node);
  return column === null ? null : { column, byteOrder: false };
}

/** COLLATE "C" and its equals. */
export function isByteOrder(node: SqlNode): boolean {
  if (!('CollateClause' in node)) return false;
  return byteOrder.includes(builtinName(node.CollateClause.collname) ?? '');
}
