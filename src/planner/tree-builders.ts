import type { SelectNode, SqlNode } from '../sql/ast.ts';
import type { SortKey } from './plan.ts';

/** Pieces of a parse tree as the grammar itself would build them. */

/** Names of the hidden columns begin so; a statement that uses them is not rewritten. */
export const hiddenPrefix = '__pgweave_';

/** What the grammar puts into every SELECT. */
export const plainSelect = {
  limitOption: 'LIMIT_OPTION_DEFAULT',
  op: 'SETOP_NONE',
} as const satisfies SelectNode;

export function target(expression: SqlNode, name?: string): SqlNode {
  return { ResTarget: name === undefined ? { val: expression } : { name, val: expression } };
}

export function hiddenTargets(expressions: readonly SqlNode[]): readonly SqlNode[] {
  return expressions.map((expression, index) => target(expression, `${hiddenPrefix}${index + 1}`));
}

export function cast(argument: SqlNode, typeName: string): SqlNode {
  // `text` is a name like any other to the grammar; the words of numbers are its own.
  const path = typeName === 'text' ? ['text'] : ['pg_catalog', typeName];
  const names = path.map((sval) => ({ String: { sval } }));
  return { TypeCast: { arg: argument, typeName: { names, typemod: -1 } } };
}

export function inByteOrder(argument: SqlNode): SqlNode {
  return { CollateClause: { arg: argument, collname: [{ String: { sval: 'C' } }] } };
}

export function integer(value: number): SqlNode {
  return { A_Const: { ival: value === 0 ? {} : { ival: value } } };
}

export const nullValue: SqlNode = { A_Const: { isnull: true } };

export function call(name: string, args: readonly SqlNode[], filter: SqlNode | undefined): SqlNode {
  return {
    FuncCall: {
      funcname: [{ String: { sval: name } }],
      args: [...args],
      ...(filter === undefined ? {} : { agg_filter: filter }),
      funcformat: 'COERCE_EXPLICIT_CALL',
    },
  };
}

export function operator(name: string, left: SqlNode, right: SqlNode): SqlNode {
  const names = [{ String: { sval: name } }];
  return { A_Expr: { kind: 'AEXPR_OP', name: names, lexpr: left, rexpr: right } };
}

/** ORDER BY the result column that the key names. */
export function sortByColumn(key: SortKey): SqlNode {
  return {
    SortBy: {
      node: integer(key.column + 1),
      sortby_dir: key.descending ? 'SORTBY_DESC' : 'SORTBY_ASC',
      sortby_nulls: key.nullsFirst ? 'SORTBY_NULLS_FIRST' : 'SORTBY_NULLS_LAST',
    },
  };
}

/** WHERE all of the conditions; nothing where there is none. */
export function whereAll(conditions: readonly SqlNode[]): Pick<SelectNode, 'whereClause'> {
  const [first, ...more] = conditions;
  if (first === undefined) return {};
  if (more.length === 0) return { whereClause: first };
  return { whereClause: { BoolExpr: { boolop: 'AND_EXPR', args: [...conditions] } } };
}

/** The same query without the given clauses. */
export function without(select: SelectNode, ...clauses: (keyof SelectNode)[]): SelectNode {
  const copy = { ...select };
  for (const clause of clauses) delete copy[clause];
  return copy;
}
