import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Telemetry } from '../base/telemetry.ts';
import { toWireError, type WireError } from './messages.ts';

/** What whoever gave a command on the admin console is told; our own mistakes are for the log. */
export function consoleError(error: unknown, telemetry: Telemetry): WireError {
  if (error instanceof PgError) return toWireError(error);
  telemetry.log('error', 'a command of the admin console failed', { error });
  return toWireError(new PgError(SqlState.internalError, 'internal error, see the log'));
}
