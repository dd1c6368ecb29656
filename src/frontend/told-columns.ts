import { createHash } from 'node:crypto';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { userOidMin } from '../executor/intermediate/bound-query.ts';
import type { PlannedStatement } from '../executor/planned-statement.ts';
import { decodeRowDescription, type FieldDescription } from '../protocol/row-description.ts';

/** What Describe of a prepared statement has told the client of its rows. */
export type ToldColumns = {
  /** Of the columns; null: it has not been described. */
  digest: string | null;
  /** The plan that it was true for. Another one may have been made for tables that have changed. */
  planned: PlannedStatement | null;
};

export function untold(): ToldColumns {
  return { digest: null, planned: null };
}

/** `frame` is a RowDescription. */
export function tellColumns(told: ToldColumns, planned: PlannedStatement, frame: Buffer): void {
  told.digest = digestOf(decodeRowDescription(frame, 0, frame.length));
  told.planned = planned;
}

/** The tables may have changed since the client was told: whoever runs it must look again. */
export function isOutdated(told: ToldColumns | null, planned: PlannedStatement): boolean {
  return told !== null && told.planned !== null && told.planned !== planned;
}

/**
 * PostgreSQL's refusal when `columns` are others than the client has been told, who reads rows by
 * that (plancache.c, RevalidateCachedQuery); null when they are not, which holds for this plan.
 */
export function changedColumns(
  told: ToldColumns,
  planned: PlannedStatement,
  columns: readonly FieldDescription[] | null,
): PgError | null {
  if (told.digest !== digestOf(columns ?? [])) {
    const message = 'cached plan must not change result type';
    return new PgError(SqlState.featureNotSupported, message, { routine: 'RevalidateCachedQuery' });
  }
  told.planned = planned;
  return null;
}

/** Of a fixed size, so that it weighs nothing. Types that users made have other OIDs on each server. */
function digestOf(columns: readonly FieldDescription[]): string {
  const facts = columns.map(({ name, typeOid, typeModifier }) => [
    name,
    Math.min(typeOid, userOidMin),
    typeModifier,
  ]);
  return createHash('sha256').update(JSON.stringify(facts)).digest('base64');
}
