import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { FieldDescription } from '../../protocol/row-description.ts';
import { userOidMin } from '../intermediate/bound-query.ts';
import type { RoutePlan } from './shard-query-messages.ts';

/**
 * The columns of a query over several shards, which must agree on their types. OIDs of types that
 * users made differ between servers: as text that does not matter, and the first shard's are used;
 * binary values may hold OIDs within and are refused with 0A000.
 */
export function agreedColumns(
  route: RoutePlan,
  shards: readonly (readonly FieldDescription[])[],
): readonly FieldDescription[] {
  const [first = [], ...others] = shards;
  const planned = route.visibleCount + route.hiddenCount;
  const count = route.hiddenCount === 0 ? first.length : planned;
  for (const fields of [first, ...others]) {
    if (fields.length !== count) throw disagreement(`${fields.length} and ${count} columns`);
  }
  for (const fields of others) {
    fields.forEach((field, column) => {
      const expected = first[column];
      if (expected !== undefined && expected.typeOid !== field.typeOid) mustFit(expected, field);
    });
  }
  return first;
}

/**
 * Refuses columns that are not of the types that the client has been told, or is about to be.
 * Binary values of a type that users made are those of the server that has described it.
 */
export function mustBeAsDescribed(
  described: readonly FieldDescription[],
  columns: readonly FieldDescription[],
): void {
  if (described.length !== columns.length) {
    throw disagreement(`${columns.length} and ${described.length} columns`);
  }
  described.forEach((expected, index) => {
    const field = columns[index];
    if (field !== undefined && field.typeOid !== expected.typeOid) mustFit(expected, field);
  });
}

function mustFit(expected: FieldDescription, field: FieldDescription): void {
  const isUserType = expected.typeOid >= userOidMin && field.typeOid >= userOidMin;
  if (!isUserType) throw disagreement(`the type of column "${expected.name}"`);
  if (field.format === 0) return;
  throw new PgError(
    SqlState.featureNotSupported,
    `column "${expected.name}" has a user-defined type and cannot be read in binary over several shards`,
    { hint: 'Ask for it in text format, or cast it to text.' },
  );
}

function disagreement(what: string): PgError {
  return new PgError(SqlState.datatypeMismatch, `the shards disagree about ${what}`, {
    hint: 'Give the tables the same columns on all shards.',
  });
}
