import type { LongValue } from '../../protocol/long-bind.ts';

/** A column of an intermediate result, which travels as text, and how it becomes itself again. */
export type ResultColumn = {
  /** As described; a domain is described as the type that it is over. */
  readonly typeOid: number;
  /** Schema and name, without and with what is in parentheses behind it. */
  readonly typeName: string;
  readonly castName: string;
  /** null: the type's own. */
  readonly collation: string | null;
  /** The type's input function where a cast from text does something else; takes a cstring. */
  readonly inputFunction: string | null;
  /** Of a type that users or extensions made, which may hold values of any others; no enum. */
  readonly isComposed: boolean;
};

/** An intermediate result as far as it is known: its columns, and its rows once they are here. */
export type GatheredResult = {
  readonly columns: readonly ResultColumn[];
  /** One text[] for each column; null where only types matter, then the rows are none. */
  readonly arrays: readonly LongValue[] | null;
};

/**
 * What follows SELECT in the CTE that stands for the result. `arrayOf` is the text[] of a column.
 * ROWS FROM, because only the bare name of unnest takes several arrays, and a user may have
 * another function of that name.
 */
export function rowsText(
  columns: readonly ResultColumn[],
  arrayOf: (column: number) => string,
): string {
  const values = columns.map((column, index) => valueText(column, `t.c${index + 1}`));
  const arrays = columns.map(
    (_, index) => `pg_catalog.unnest(${arrayOf(index)}::pg_catalog.text[])`,
  );
  const names = columns.map((_, index) => `c${index + 1}`);
  return `${values.join(', ')} FROM ROWS FROM (${arrays.join(', ')}) AS t(${names.join(', ')})`;
}

/** A value, which is text as a server wrote it, as a literal of the column's type. */
export function literalText(column: ResultColumn, value: Buffer | null): string {
  if (value === null) return `(NULL::${column.castName})`;
  return `(${valueText(column, `'${value.toString('utf8').replaceAll("'", "''")}'`)})`;
}

function valueText(column: ResultColumn, text: string): string {
  const { inputFunction, castName, collation } = column;
  const value = inputFunction === null ? text : `${inputFunction}(pg_catalog.textout(${text}))`;
  const collate = collation === null ? '' : ` COLLATE ${collation}`;
  return `${value}::${castName}${collate}`;
}
