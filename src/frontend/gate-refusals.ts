import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';

export function asFatal(error: PgError): PgError {
  const { sqlState, message, detail, hint, cause } = error;
  return new PgError(sqlState, message, { detail, hint, cause, severity: 'FATAL' });
}

export function unknownDatabase(name: string): PgError {
  return new PgError(SqlState.invalidCatalogName, `database "${name}" does not exist`, {
    severity: 'FATAL',
  });
}

export function shutdown(): PgError {
  return new PgError(
    SqlState.adminShutdown,
    'terminating connection due to administrator command',
    { severity: 'FATAL' },
  );
}
