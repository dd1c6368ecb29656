import { PgError } from '../base/pg-error.ts';
import type { Reject } from '../planner/plan.ts';

/** What the client of a refused statement is told. */
export function rejection({ sqlState, message, hint }: Reject): PgError {
  return new PgError(sqlState, message, { hint: hint ?? undefined });
}
