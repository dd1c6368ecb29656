import type { Clock } from '../../base/clock.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { ControlConnection } from '../control-connection.ts';
import { pause } from '../pause.ts';

/** Two numbers of our own choice: nobody else's advisory locks collide with them. */
const lockClass = 1_885_828_452;
const lockObject = 1;
const waitMs = 1000;
const pollMs = 20;

/** Who waits for the lock. */
export type SettingsTurn = {
  readonly clock: Clock;
  /** False: something else has been decided meanwhile. */
  readonly isWanted: () => boolean;
};

/**
 * Settings of a server are changed by one session at a time. A command of a session that we have
 * given up may still be under way: whoever comes after it either waits until it is through, or ends
 * that session, and so never has its own change undone by a late one. Nor by one that gets its turn
 * late: who is not wanted any more changes nothing. What the settings are is known only to who has
 * the lock. It lasts as long as the connection.
 */
export async function lockSettings(
  connection: ControlConnection,
  { clock, isWanted }: SettingsTurn,
): Promise<void> {
  const deadline = clock.now() + waitMs;
  while (clock.now() < deadline) {
    if (await tryLock(connection, isWanted)) return;
    await pause(clock, pollMs);
  }
  await connection.query(
    `select pg_terminate_backend(pid, 500) from pg_locks
      where locktype = 'advisory' and granted and classid = $1 and objid = $2`,
    [lockClass, lockObject],
  );
  if (await tryLock(connection, isWanted)) return;
  throw new PgError(
    SqlState.objectNotInPrerequisiteState,
    'another session keeps changing the settings of this server',
  );
}

async function tryLock(connection: ControlConnection, isWanted: () => boolean): Promise<boolean> {
  const [row] = await connection.query<{ locked: boolean }>(
    'select pg_try_advisory_lock($1, $2) as locked',
    [lockClass, lockObject],
  );
  if (isWanted()) return row?.locked === true;
  throw new PgError(SqlState.objectNotInPrerequisiteState, 'something else was decided meanwhile');
}
