import type { SessionSettings } from '../../backend/session-settings.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { SessionExecutor } from '../session-executor.ts';

// What a session makes this process remember is bounded: a PostgreSQL backend that grows harms itself,
// a worker has thousands of sessions.

/** Characters of all SETs of a session: they are compared whenever one of them changes. */
const settingsLengthMax = 1_000_000;

/** Null: `text` has room in what is told to shards that join the transaction later. */
export function scriptRefusal(
  { transaction, world }: SessionExecutor,
  text: string,
): PgError | null {
  if (transaction.block === 'none') return null;
  const bytesMax = world.limits.sessionBytesMax;
  if (transaction.scriptLength + text.length <= bytesMax) return null;
  return tooMuch('the savepoints and settings of a transaction', bytesMax);
}

/** Null: a session may have these. */
export function settingsRefusal(settings: SessionSettings): PgError | null {
  if (settings.length <= settingsLengthMax) return null;
  const message = `the settings of a session have more than ${settingsLengthMax} characters`;
  const hint = 'RESET those that are not needed any more.';
  return new PgError(SqlState.configurationLimitExceeded, message, { hint });
}

export function tooMuch(what: string, bytesMax: number): PgError {
  const message = `${what} take more than ${bytesMax} bytes`;
  const hint = 'limits.session_bytes_max says how much one session may have.';
  return new PgError(SqlState.configurationLimitExceeded, message, { hint });
}
