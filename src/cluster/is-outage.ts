import type { PgError } from '../base/pg-error.ts';

/** The server is away, going, or not yet there. */
export function isOutage({ sqlState }: PgError): boolean {
  return /^(?:08(?!P01)|57P0[123])/.test(sqlState);
}
