import type { SelectNode, SqlNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import { columnName } from './column-name.ts';
import { type Column, findItem, plainColumn, resolveColumn, type Scope } from './scope.ts';

/** One column of a query's result; `expression` null when it cannot be written again. */
export type Output = { readonly expression: SqlNode | null; readonly column: Column };

/** The result columns, `*` spelled out; null when it names columns that are not known here. */
export function outputsOf(select: SelectNode, scope: Scope): readonly Output[] | null {
  const outputs: Output[] = [];
  for (const node of select.targetList ?? []) {
    if (!('ResTarget' in node)) return null;
    const { val, name } = node.ResTarget;
    if (val === undefined || spreadsFields(val)) return null;
    const star = starFields(val);
    if (star === null) outputs.push(expressionOutput(val, name ?? columnName(val), scope));
    else {
      const expanded = expandStar(star, scope);
      if (expanded === null) return null;
      outputs.push(...expanded);
    }
  }
  return outputs;
}

/** `(value).*`: as many columns as the value's type has fields. */
function spreadsFields(node: SqlNode): boolean {
  if (!('A_Indirection' in node)) return false;
  const last = node.A_Indirection.indirection?.at(-1);
  return last !== undefined && 'A_Star' in last;
}

function expressionOutput(expression: SqlNode, name: string, scope: Scope): Output {
  const column = resolveColumn(scope, expression);
  if (column !== null) return { expression, column: { ...column, name } };
  return { expression, column: { ...plainColumn(name), origin: { expression, scope } } };
}

/** The qualifiers of `*`, or null for anything else. */
export function starFields(node: SqlNode): readonly string[] | null {
  if (!('ColumnRef' in node)) return null;
  const fields = node.ColumnRef.fields ?? [];
  const last = fields[fields.length - 1];
  return last !== undefined && 'A_Star' in last ? stringsOf(fields.slice(0, -1)) : null;
}

function expandStar(qualifiers: readonly string[], scope: Scope): readonly Output[] | null {
  const table = qualifiers[qualifiers.length - 1];
  if (table !== undefined) {
    const item = findItem(scope, qualifiers.length === 2 ? (qualifiers[0] ?? null) : null, table);
    const open = scope.from.some((from) => from.open && item !== null && from.items.includes(item));
    if (item === null || open) return null;
    return item.columns.map((column) => ({
      expression: onlyNamed(item.columns, column) ? reference([table, column.name]) : null,
      column,
    }));
  }
  if (scope.from.some((item) => item.open)) return null;
  const columns = scope.from.flatMap((item) => item.columns);
  return columns.map((column) => ({
    expression: onlyNamed(columns, column) ? reference([column.name]) : null,
    column,
  }));
}

function onlyNamed(columns: readonly Column[], column: Column): boolean {
  return columns.filter((other) => other.name === column.name).length === 1;
}

export function reference(names: readonly string[]): SqlNode {
  return { ColumnRef: { fields: names.map((sval) => ({ String: { sval } })) } };
}
