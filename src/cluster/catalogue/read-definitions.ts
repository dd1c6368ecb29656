import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';

/**
 * Settings of sessions that read definitions. PostgreSQL locks each relation whose definition it
 * writes out until the transaction ends, so that who changes several of them (TRUNCATE ... RESTART
 * IDENTITY, DROP SCHEMA) can come to wait for such a session, and it for him. Then the one that has
 * waited for deadlock_timeout first is ended, which must not be the application: a reader waits for
 * a fraction of that, lets go of everything and begins again.
 */
export const readerSettings = { lock_timeout: '100ms' };

/** That is 5 s in all. What was left prepared keeps its locks until somebody looks after it. */
const patience = 50;

/** Runs `read`, which takes all its locks anew, until nobody is in its way. Rejects as it does. */
export async function readDefinitions<Read>(
  read: () => Promise<Read>,
  attemptsMax = patience,
): Promise<Read> {
  for (let attemptsLeft = attemptsMax - 1; ; attemptsLeft -= 1) {
    try {
      return await read();
    } catch (error) {
      if (attemptsLeft === 0 || !isHindered(error)) throw error;
    }
  }
}

/** Somebody holds what was to be read. */
export function isHindered(error: unknown): boolean {
  if (!(error instanceof PgError)) return false;
  return (
    error.sqlState === SqlState.lockNotAvailable || error.sqlState === SqlState.deadlockDetected
  );
}
