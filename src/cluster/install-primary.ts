import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { NodeAddress } from '../config/config.ts';
import {
  type ControlConnection,
  type ControlLogin,
  withControlConnection,
} from './control-connection.ts';
import { fencedNames } from './fence.ts';
import { setNames, setting } from './node-commands.ts';
import { pause } from './pause.ts';
import type { ProbeAnswer } from './probe-answer.ts';
import { ProbeQuery } from './probe-query.ts';
import { lockSettings } from './settings-lock.ts';
import type { Intent } from './shard-record.ts';
import type { XidBounds } from './xid-bounds.ts';

export type InstallOptions = {
  readonly node: NodeAddress;
  readonly intent: Intent;
  /** See FailoverTask `install`. */
  readonly names: string | null;
  readonly login: ControlLogin;
  readonly clock: Clock;
  readonly promoteTimeoutMs: number;
};

/** See TaskResult `installed`. */
export type Installed = {
  readonly answer: ProbeAnswer;
  readonly askedAt: number;
  readonly switchLsn: string | null;
  readonly xids: XidBounds | null;
};

const pollMs = 5;
const statementTimeoutMs = 2000;

/**
 * Makes a node the writable primary of an epoch, from whatever state it is in; every step may have
 * been done by an earlier attempt. Its own commits wait for nobody: the standbys may all be gone.
 */
export async function installPrimary(options: InstallOptions): Promise<Installed> {
  const { node, login, clock } = options;
  const settings = { default_transaction_read_only: 'off' };
  const connection = { node, login, settings, timeoutMs: statementTimeoutMs };
  return await withControlConnection(connection, async (session) => {
    if (options.names !== null) await replaceNames(session, options.names, clock);
    const xids = await promote(session, options);
    const switchLsn = await endOfRecovery(session);
    await writeEpoch(session, options.intent);
    // From here on as any probe: this session's own setting is not the server's.
    await session.execute('set synchronous_commit to default');
    const askedAt = clock.now();
    return { answer: await new ProbeQuery().ask(session), askedAt, switchLsn, xids };
  });
}

/** Before the promotion, so that no commit of the new primary waits for a standby it lacks. */
async function replaceNames(
  session: ControlConnection,
  names: string,
  clock: Clock,
): Promise<void> {
  const before = await setting(session, 'synchronous_standby_names');
  if (before === names) return;
  await lockSettings(session, clock);
  if (before === fencedNames) {
    await session.execute('alter system reset default_transaction_read_only');
  }
  await setNames(session, names);
}

/** What was replayed last before the node became primary; null when it was one from its start on. */
async function endOfRecovery(session: ControlConnection): Promise<string | null> {
  const [row] = await session.query<{ lsn: string | null }>(
    'select pg_last_wal_replay_lsn()::text as lsn',
  );
  return row?.lsn ?? null;
}

/** pg_promote's own waiting looks every 100 ms only. null: it was promoted before. */
async function promote(
  session: ControlConnection,
  options: InstallOptions,
): Promise<XidBounds | null> {
  const { clock, promoteTimeoutMs, node } = options;
  let reading = await readRole(session);
  if (!reading.recovering) return null;
  // A paused replay would notice the promotion only with its next look, up to a second later.
  await session.query('select pg_wal_replay_resume() where pg_is_wal_replay_paused()');
  await session.query('select pg_promote(wait => false)');
  const deadline = clock.now() + promoteTimeoutMs;
  let replayed = reading.xid;
  for (reading = await readRole(session); reading.recovering; reading = await readRole(session)) {
    replayed = reading.xid;
    if (clock.now() >= deadline) {
      throw new PgError(
        SqlState.objectNotInPrerequisiteState,
        `${node.id} did not end its recovery within ${promoteTimeoutMs} ms`,
      );
    }
    await pause(clock, pollMs);
  }
  return { replayed, next: reading.xid };
}

/**
 * `xid`: no transaction from it on has ended. The snapshot is older than the answer about recovery, so
 * one that was taken in recovery is of recovery.
 */
async function readRole(
  session: ControlConnection,
): Promise<{ readonly recovering: boolean; readonly xid: string }> {
  const [row] = await session.query<{ xid: string; recovering: boolean }>(
    'select pg_snapshot_xmax(pg_current_snapshot())::text as xid, pg_is_in_recovery() as recovering',
  );
  return { recovering: row?.recovering !== false, xid: row?.xid ?? '0' };
}

/** The rows travel with the WAL: whoever holds this one has this line of history. */
async function writeEpoch(session: ControlConnection, intent: Intent): Promise<void> {
  await session.execute(`
    set synchronous_commit = local;
    create schema if not exists pgweave;
    create table if not exists pgweave.epoch (
      epoch bigint primary key,
      uuid text not null,
      node text not null,
      began_at timestamptz not null default now()
    );
    grant usage on schema pgweave to public;
    grant select on pgweave.epoch to public`);
  await session.query(
    'insert into pgweave.epoch (epoch, uuid, node) values ($1, $2, $3) on conflict do nothing',
    [intent.epoch, intent.uuid, intent.candidate],
  );
}
