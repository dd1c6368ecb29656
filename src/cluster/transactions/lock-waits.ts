import type { ControlConnection } from '../control-connection.ts';

/** A session that waits for a lock of others, on one server. */
export type LockWait = {
  readonly pid: number;
  /** Those it waits for; 0 stands for a prepared transaction. */
  readonly blockers: readonly number[];
  /** Milliseconds since 1970, by the server's clock: when its transaction began there. */
  readonly beganAt: number;
};

export async function readLockWaits(session: ControlConnection): Promise<readonly LockWait[]> {
  return await session.query<LockWait>(
    `select pid, pg_blocking_pids(pid) as blockers,
        (extract(epoch from xact_start) * 1000)::float8 as "beganAt"
      from pg_stat_activity
      where wait_event_type = 'Lock' and backend_type = 'client backend'
        and datname = current_database() and xact_start is not null`,
  );
}
