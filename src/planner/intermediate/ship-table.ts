import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { stringsOf } from '../../sql/names.ts';
import { walk } from '../../sql/walk.ts';
import type { Leaf } from '../leaf.ts';
import { reference } from '../outputs.ts';
import { plainSelect, target, whereAll } from '../tree-builders.ts';
import { isPlainReadOfResult } from './is-deterministic.ts';

/** The rows and columns of a table that a statement can need. */
export type TableQuery = { readonly select: SelectNode; readonly columns: readonly string[] };

/** Asks for the columns that the statement names anywhere, and for rows that meet its conditions. */
export function tableQuery(leaf: Leaf, statement: SqlNode): TableQuery {
  const all = leaf.columns.map((column) => column.name);
  const used = namesIn(statement);
  const isWhole = used.isAll || used.rows.has(leaf.alias);
  const named = isWhole ? all : all.filter((name) => used.names.has(name));
  const columns = named.length === 0 ? all.slice(0, 1) : named;
  return {
    columns,
    select: {
      ...plainSelect,
      targetList: columns.map((name) => target(reference([leaf.alias, name]))),
      fromClause: [{ RangeVar: leaf.node }],
      ...whereAll(leaf.filters),
    },
  };
}

/** References `schema.table.column`: the result has no schema. */
export function qualifiedReferences(leaf: Leaf, statement: SqlNode): ReadonlyMap<object, unknown> {
  const replacements = new Map<object, unknown>();
  if (leaf.node.alias !== undefined) return replacements;
  walk(statement, (node) => {
    if (!('ColumnRef' in node)) return true;
    const { fields = [] } = node.ColumnRef;
    const [schema, table] = stringsOf(fields);
    if (fields.length > 2 && schema === leaf.relation.schema && table === leaf.alias) {
      replacements.set(node.ColumnRef, { ...node.ColumnRef, fields: fields.slice(1) });
    }
    return false;
  });
  return replacements;
}

type UsedNames = {
  readonly names: ReadonlySet<string>;
  /** `name.*`, or a table's name alone, which is its whole row. */
  readonly rows: ReadonlySet<string>;
  /** Columns are named by `*` or by their positions. */
  readonly isAll: boolean;
};

function namesIn(statement: SqlNode): UsedNames {
  const names = new Set<string>();
  const rows = new Set<string>();
  let isAll = false;
  const visit = (node: SqlNode): boolean => {
    if ('SelectStmt' in node) return !isPlainReadOfResult(node.SelectStmt);
    if ('SubLink' in node && node.SubLink.subLinkType === 'EXISTS_SUBLINK') {
      walk(withoutStars(node.SubLink.subselect), visit);
      return false;
    }
    if (namesByPosition(node)) isAll = true;
    if ('JoinExpr' in node) {
      for (const name of stringsOf(node.JoinExpr.usingClause)) names.add(name);
    }
    const fields = stringsOf(fieldsOf(node));
    const last = fields.at(-1);
    if (last === undefined) return true;
    if (last !== '*') names.add(last);
    if (last === '*') rows.add(fields.at(-2) ?? '');
    else if (fields.length === 1) rows.add(last);
    return true;
  };
  walk(statement, visit);
  return { names, rows, isAll };
}

/** `*`, NATURAL JOIN, new names for the columns of a table, and a name for a whole join. */
function namesByPosition(node: SqlNode): boolean {
  if ('RangeVar' in node) return node.RangeVar.alias?.colnames !== undefined;
  if ('JoinExpr' in node) {
    return node.JoinExpr.isNatural === true || node.JoinExpr.alias !== undefined;
  }
  const [first, ...more] = fieldsOf(node) ?? [];
  return first !== undefined && 'A_Star' in first && more.length === 0;
}

function fieldsOf(node: SqlNode): readonly SqlNode[] | undefined {
  return 'ColumnRef' in node ? node.ColumnRef.fields : undefined;
}

/** EXISTS (SELECT * FROM ...) asks for no column. */
function withoutStars(query: SqlNode | undefined): SqlNode | undefined {
  if (query === undefined || !('SelectStmt' in query)) return query;
  const { targetList = [], ...others } = query.SelectStmt;
  const isStar = targetList.every(
    (node) =>
      'ResTarget' in node &&
      node.ResTarget.val !== undefined &&
      'ColumnRef' in node.ResTarget.val &&
      (node.ResTarget.val.ColumnRef.fields ?? []).some((field) => 'A_Star' in field),
  );
  return isStar ? { SelectStmt: others } : query;
}
