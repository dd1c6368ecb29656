import type { Dice } from './dice.ts';
import type { Fragment } from './fragment.ts';
import { name, rowNumberOf, type Source } from './predicates.ts';
import { columnsOfType } from './table.ts';
import type { TypeName } from './value.ts';

/** What a SELECT reads from. */
export type Relation = {
  readonly with: readonly Fragment[];
  readonly from: Fragment;
  /** What the joins need beyond their ON. */
  readonly where: readonly Fragment[];
  /** The tables in it, at least one; the `rid`s of all together are unique. */
  readonly sources: readonly Source[];
};

/** The name of a column of one of the types, of any source; a constant where there is none. */
export function columnName({ sources }: Relation, types: readonly TypeName[], dice: Dice): string {
  const names = sources.flatMap((source) =>
    columnsOfType(source.table, types).map((column) => name(source, column)),
  );
  return names.length === 0 ? constantOf(types) : dice.pick(names);
}

/** The `rid`s: who sorts by all of them has a total order. */
export function rowNumbers({ sources }: Relation): readonly string[] {
  return sources.map(rowNumberOf);
}

/** Not a bare number, which would be a position in ORDER BY and GROUP BY. */
function constantOf(types: readonly TypeName[]): string {
  switch (types[0]) {
    case 'text':
    case 'varchar':
      return "'x'::text";
    case 'date':
      return "date '2000-01-01'";
    case 'bool':
      return 'true';
    default:
      return '(1 + 0)';
  }
}
