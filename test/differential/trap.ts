import type { Query } from './query.ts';
import { columnsOfType, type Table } from './table.ts';
import type { TypeName } from './value.ts';

/** A statement that is easily answered wrongly, and what is hard about it. */
export type Trap = readonly [name: string, query: Query];

/** The first column of exactly that type. */
export function trapColumn(table: Table, type: TypeName): string {
  const found = columnsOfType(table, [type]).find((each) => each.name.startsWith(type));
  if (found === undefined) throw new Error(`${table.name} has no column of type ${type}`);
  return found.name;
}
