import type { SqlNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import type { ColumnSchema } from './schema.ts';

/**
 * The column holds the instance's key. `exact`: in every row of it; otherwise only in some (an arm
 * of a UNION), so conditions on the column reach the instance but not the other way round.
 */
export type KeyRef = { readonly instance: number; readonly exact: boolean };

/** A column that a query can name. */
export type Column = {
  readonly name: string;
  readonly keys: readonly KeyRef[];
  /** The table's column that it is unchanged (of a UNION: one of its type), or null. */
  readonly base: ColumnSchema | null;
  /** An outer join may put NULL here. */
  readonly nullable: boolean;
  /** The expression of a subquery's output, where `base` is null and it is known. */
  readonly origin: { readonly expression: SqlNode; readonly scope: Scope } | null;
  /** The element of StatementContext.leaves that it is a column of, in the query that names it. */
  readonly leaf: number | null;
};

/** A name in FROM, with what can be reached as name.column. */
export type NamedItem = {
  readonly alias: string;
  /** Of a table without alias, else null: schema.table.column reaches it. */
  readonly schema: string | null;
  readonly columns: readonly Column[];
};

/**
 * How the rows of an item relate to the shards when each shard runs the query for itself:
 * `replicated` the same on every shard; `partitioned` every row on exactly one shard, the one that
 * its key says; `dependent` right only together with rows outside that it follows.
 */
export type Shape = 'replicated' | 'partitioned' | 'dependent';

/** One element of FROM, or several joined. */
export type FromItem = {
  readonly items: readonly NamedItem[];
  /** What `*` gives and what unqualified names find. */
  readonly columns: readonly Column[];
  /** More columns may exist than are known here. */
  readonly open: boolean;
  readonly shape: Shape;
  /** Its rows come in the order of an ORDER BY inside it. */
  readonly isSorted: boolean;
  /** Instances of the item: numbers in [start, end). */
  readonly start: number;
  readonly end: number;
};

export type Scope = { readonly from: readonly FromItem[]; readonly parent: Scope | null };

/** null: no such column is known, or several are; a server decides what it means. */
export function resolveColumn(scope: Scope | null, node: SqlNode): Column | null {
  if (!('ColumnRef' in node)) return null;
  const fields = stringsOf(node.ColumnRef.fields);
  const name = fields[fields.length - 1];
  if (name === undefined || name === '*') return null;
  if (fields.length === 1) return unqualified(scope, name);
  const table = fields[fields.length - 2] ?? '';
  const item = findItem(scope, fields.length === 3 ? (fields[0] ?? null) : null, table);
  return item === null ? null : onlyOne(item.columns.filter((column) => column.name === name));
}

function unqualified(scope: Scope | null, name: string): Column | null {
  for (let level = scope; level !== null; level = level.parent) {
    const found = level.from
      .flatMap((item) => item.columns)
      .filter((column) => column.name === name);
    if (found.length > 0) return onlyOne(found);
    if (level.from.some((item) => item.open)) return null;
  }
  return null;
}

/** The innermost item of that name; with `schema` only a table that has no alias. */
export function findItem(
  scope: Scope | null,
  schema: string | null,
  alias: string,
): NamedItem | null {
  for (let level = scope; level !== null; level = level.parent) {
    for (const item of level.from.flatMap((from) => from.items)) {
      if (item.alias === alias && (schema === null || item.schema === schema)) return item;
    }
  }
  return null;
}

function onlyOne(columns: readonly Column[]): Column | null {
  return columns.length === 1 ? (columns[0] ?? null) : null;
}

export function plainColumn(name: string): Column {
  return { name, keys: [], base: null, nullable: true, origin: null, leaf: null };
}

/** Both are columns of tables, and of the same type. */
export function isSameType(a: Column, b: Column): boolean {
  if (a.base === null || b.base === null) return false;
  return a.base.typeOid === b.base.typeOid;
}

/** `AS alias(names...)`: the first columns get new names. */
export function renamed(columns: readonly Column[], names: readonly string[]): readonly Column[] {
  return columns.map((column, index) => ({ ...column, name: names[index] ?? column.name }));
}
