import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';

/** Its rows are kept as text, not as values. */
export function otherSettings(): PgError {
  return new PgError(
    SqlState.featureNotSupported,
    'reading a cursor over several shards again under other settings (as DateStyle, TimeZone, client_encoding) is not supported',
    { hint: 'SET them before the cursor is declared.' },
  );
}

/** It has failed before. */
export function cannotBeRun(name: string): PgError {
  return new PgError(SqlState.objectNotInPrerequisiteState, `portal "${name}" cannot be run`);
}

/** Where PostgreSQL itself refuses, in its words. */
export function notBack(): PgError {
  return new PgError(SqlState.objectNotInPrerequisiteState, 'cursor can only scan forward', {
    hint: 'Declare it with SCROLL option to enable backward scan.',
  });
}
