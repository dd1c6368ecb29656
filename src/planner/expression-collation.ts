import type { SqlNode } from '../sql/ast.ts';
import { builtinName } from '../sql/names.ts';
import { walk } from '../sql/walk.ts';
import { isByteOrder, simpleTypeName } from './keys/key-operand.ts';
import type { CollationKind, Schema } from './schema.ts';
import { type Column, resolveColumn, type Scope } from './scope.ts';

const textTypes = ['text', 'varchar', 'bpchar'];
const alwaysText = ['to_char', 'concat', 'concat_ws', 'format', 'md5', 'quote_ident'];
/** Text when their first argument is. */
const textOfText = [
  'lower',
  'upper',
  'initcap',
  'left',
  'right',
  'substr',
  'substring',
  'btrim',
  'ltrim',
  'rtrim',
  'replace',
  'lpad',
  'rpad',
  'split_part',
  'regexp_replace',
  'translate',
];

/**
 * How values of an expression sort: `c` byte order, if they are text at all; `linguistic` text in
 * another order; `nondeterministic`; `unknown` when only the shards' answer tells the type.
 */
export type ExpressionCollation = 'c' | 'linguistic' | 'nondeterministic' | 'unknown';

export function collationOf(schema: Schema, scope: Scope, node: SqlNode): ExpressionCollation {
  if ('CollateClause' in node) return isByteOrder(node) ? 'c' : 'linguistic';
  if ('A_Const' in node && node.A_Const.ival !== undefined) return 'c';
  if ('ColumnRef' in node) return columnCollation(schema, resolveColumn(scope, node));
  if (schema.defaultCollation !== 'c') return 'unknown';
  let proven = true;
  walk(node, (inner) => {
    if ('SubLink' in inner) proven = false;
    if ('CollateClause' in inner || 'ColumnRef' in inner) {
      if (collationOf(schema, scope, inner) !== 'c') proven = false;
      return false;
    }
    return true;
  });
  return proven ? 'c' : 'unknown';
}

function columnCollation(schema: Schema, column: Column | null): ExpressionCollation {
  if (column === null) return 'unknown';
  const { base, origin } = column;
  if (base !== null) return kindOf(base.collation);
  return origin === null ? 'unknown' : collationOf(schema, origin.scope, origin.expression);
}

function kindOf(collation: CollationKind): ExpressionCollation {
  return collation === 'none' ? 'c' : collation;
}

/** The type of a plain column, seen through subqueries; null for anything else. */
export function columnTypeOf(scope: Scope, node: SqlNode): string | null {
  const column = resolveColumn(scope, node);
  if (column === null) return null;
  if (column.base !== null) return column.base.typeName;
  return column.origin === null
    ? null
    : columnTypeOf(column.origin.scope, column.origin.expression);
}

/** Provably of a text type, so that COLLATE applies to it. */
export function isText(scope: Scope, node: SqlNode): boolean {
  if ('ColumnRef' in node) {
    const column = resolveColumn(scope, node);
    if (column === null) return false;
    if (column.base !== null) return textTypes.includes(column.base.typeName);
    return column.origin !== null && isText(column.origin.scope, column.origin.expression);
  }
  if ('TypeCast' in node) {
    return textTypes.includes(simpleTypeName(node.TypeCast.typeName) ?? '');
  }
  if ('CollateClause' in node) return true;
  if ('CoalesceExpr' in node) {
    return (node.CoalesceExpr.args ?? []).some((argument) => isText(scope, argument));
  }
  if (!('FuncCall' in node)) return false;
  const name = builtinName(node.FuncCall.funcname) ?? '';
  const first = node.FuncCall.args?.[0];
  if (alwaysText.includes(name)) return true;
  return textOfText.includes(name) && first !== undefined && isText(scope, first);
}

/** A column in it compares different bytes as equal, so neither bytes nor "C" tell its groups. */
export function readsNondeterministic(schema: Schema, scope: Scope, node: SqlNode): boolean {
  let found = false;
  walk(node, (inner) => {
    if ('ColumnRef' in inner) {
      found ||= collationOf(schema, scope, inner) === 'nondeterministic';
      found ||= columnTypeOf(scope, inner) === 'citext';
    }
    if ('CollateClause' in inner && !isByteOrder(inner)) found = true;
    return true;
  });
  return found;
}
