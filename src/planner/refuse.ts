import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Reject } from './plan.ts';

/** 0A000: names the construct, and what to do instead. */
export function refuse(message: string, hint: string | null = null): Reject {
  return { kind: 'reject', sqlState: SqlState.featureNotSupported, message, hint };
}

/** For refusals found deep inside a statement; planStatement turns them back into plans. */
export function refusal(message: string, hint: string): PgError {
  return new PgError(SqlState.featureNotSupported, message, { hint });
}

export function rejectOf(error: PgError): Reject {
  return {
    kind: 'reject',
    sqlState: error.sqlState,
    message: error.message,
    hint: error.hint ?? null,
  };
}
