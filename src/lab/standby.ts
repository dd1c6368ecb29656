import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { copyTree } from './copy-tree.ts';
import { writeServerFile } from './data-directory.ts';
import type { PostgresServer } from './postgres-server.ts';
import { type Login, withSession } from './sql.ts';
import { waitUntil } from './wait-until.ts';

const streamingTimeoutMs = 20_000;
const streamingPollMs = 20;

/** Whether the server will start as a standby. */
export async function isStandby(server: PostgresServer): Promise<boolean> {
  return access(join(server.dataDirectory, 'standby.signal')).then(
    () => true,
    () => false,
  );
}

/** Makes commits of the stopped `primary` wait for any one of `standbys`, if there are any. */
export async function configurePrimary(
  primary: PostgresServer,
  standbys: readonly PostgresServer[],
): Promise<void> {
  // Names of their own, never '*': whatever connects must not acknowledge in a standby's stead.
  const list = standbys.map(({ id }) => `"${id}"`).join(', ');
  const names = list === '' ? '' : `ANY 1 (${list})`;
  await writeServerFile(
    join(primary.dataDirectory, 'postgresql.auto.conf'),
    `synchronous_standby_names = '${names}'\n`,
    primary.account,
  );
}

/** Makes the stopped `standby`, whose data directory is a copy, follow `primary`. */
export async function configureStandby(
  standby: PostgresServer,
  primary: PostgresServer,
  password: string | null,
): Promise<void> {
  const connection = [
    `host=${primary.host} port=${primary.port} user=postgres application_name=${standby.id}`,
    'connect_timeout=2 tcp_user_timeout=2000',
    'keepalives_idle=1 keepalives_interval=1 keepalives_count=3',
    ...(password === null ? [] : [`password=${password}`]),
  ].join(' ');
  const { account, dataDirectory } = standby;
  await writeServerFile(
    join(dataDirectory, 'postgresql.auto.conf'),
    `primary_conninfo = '${connection}'\n`,
    account,
  );
  await writeServerFile(join(dataDirectory, 'standby.signal'), '', account);
}

/** Copies a data directory that was shut down cleanly: same system identifier, no WAL to catch up. */
export async function copyStopped(source: PostgresServer, target: PostgresServer): Promise<void> {
  await copyTree(source.dataDirectory, target.dataDirectory, {
    account: target.account,
    include: () => true,
  });
}

/**
 * Wipes `target` and copies the running `source` with the low-level backup API (PostgreSQL manual,
 * 25.3.4). The copied files are torn in time; recovery from the WAL that the backup label names
 * mends them. The WAL itself is streamed afterwards, which wal_keep_size must allow.
 */
export async function cloneRunning(
  source: PostgresServer,
  target: PostgresServer,
  login: Login,
): Promise<void> {
  const { account, dataDirectory } = target;
  await rm(dataDirectory, { recursive: true, force: true });
  const label = await withSession(source, login, async (session) => {
    await session.query('select pg_backup_start($1, fast => true)', [target.name]);
    await copyTree(source.dataDirectory, dataDirectory, { account, include: belongsInBackup });
    // Last, so that no copied page is newer than what the control file knows.
    await copyTree(join(source.dataDirectory, 'global'), join(dataDirectory, 'global'), {
      account,
      include: (path) => path === 'pg_control',
    });
    const { rows } = await session.query<{ labelfile: string }>(
      'select labelfile from pg_backup_stop(wait_for_archive => false)',
    );
    return rows[0]?.labelfile ?? '';
  });
  await writeServerFile(join(dataDirectory, 'backup_label'), label, account);
}

/** Resolves when `primary` counts `standby` as streaming and caught up. */
export async function waitForStreaming(
  primary: PostgresServer,
  standby: PostgresServer,
  login: Login,
  signal?: AbortSignal,
): Promise<void> {
  const streams = await withSession(primary, login, (session) =>
    waitUntil(
      async () => {
        const { rowCount } = await session.query(
          "select from pg_stat_replication where application_name = $1 and state = 'streaming'",
          [standby.id],
        );
        return rowCount === 1;
      },
      { timeoutMs: streamingTimeoutMs, pollMs: streamingPollMs, signal },
    ),
  );
  if (!streams) {
    throw new PgError(SqlState.ioError, `${standby.name} does not stream from ${primary.name}`, {
      hint: `see ${standby.logFile}`,
    });
  }
}

/** The manual's list of what a backup leaves out (25.3.4.3); the directories themselves stay. */
function belongsInBackup(path: string): boolean {
  return !(
    /^(postmaster\.(pid|opts)|standby\.signal|recovery\.signal|backup_label(\.old)?)$/.test(path) ||
    /^(pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)\/./.test(
      path,
    ) ||
    /(^|\/)(pgsql_tmp[^/]*|pg_internal\.init[^/]*)$/.test(path) ||
    path === 'global/pg_control'
  );
}
