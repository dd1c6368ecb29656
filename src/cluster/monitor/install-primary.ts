import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { NodeAddress } from '../../config/config.ts';
import type { ControlConnection } from '../control-connection.ts';
import { fencedNames } from '../failover/fence.ts';
import type { ProbeAnswer } from '../failover/probe-answer.ts';
import type { Intent } from '../failover/shard-record.ts';
import type { XidBounds } from '../failover/xid-bounds.ts';
import { pause } from '../pause.ts';
import { setNames } from './node-commands.ts';
import { ProbeQuery } from './probe-query.ts';
import { lockSettings, type SettingsTurn } from './settings-lock.ts';

export type InstallOptions = {
  readonly node: NodeAddress;
  readonly intent: Intent;
  /** See FailoverTask `install`. */
  readonly names: string | null;
  readonly promoteTimeoutMs: number;
} & SettingsTurn;

/** See TaskResult `installed`. */
export type Installed = {
  readonly answer: ProbeAnswer;
  readonly askedAt: number;
  readonly switchLsn: string | null;
  readonly xids: XidBounds | null;
};

const pollMs = 2;
const reloadMs = 1000;

/**
 * Makes a node the writable primary of an epoch, from whatever state it is in; every step may have
 * been done by an earlier attempt. Its own commits wait for nobody: the standbys may all be gone.
 * Clients wait all that time, so that each round trip counts.
 */
export async function installPrimary(
  session: ControlConnection,
  options: InstallOptions,
): Promise<Installed> {
  const { names, clock, intent } = options;
  const before = await readRole(session);
  if (names !== null) await replaceNames(session, before, names, options);
  const promotion = await promote(session, before, options);
  if (!promotion.after.hasEpochs) await createEpochs(session);
  await writeEpoch(session, intent);
  const askedAt = clock.now();
  const answer = await new ProbeQuery().ask(session);
  return { answer, askedAt, switchLsn: promotion.after.lsn, xids: promotion.xids };
}

/**
 * Before the promotion, so that no commit of the new primary waits for a standby it lacks. One that is
 * primary already may have got a fence since it was asked, by a switchover that is given up: it must
 * be gone before clients come back.
 */
async function replaceNames(
  session: ControlConnection,
  before: Role,
  names: string,
  turn: SettingsTurn,
): Promise<void> {
  if (before.recovering && before.names === names) return;
  await lockSettings(session, turn);
  if (!before.recovering || before.names === fencedNames) {
    await session.execute('alter system reset default_transaction_read_only');
  }
  const { loadedAt } = await loadedNames(session);
  await setNames(session, names);
  if (!before.recovering) await untilLoaded(session, names, loadedAt, turn);
}

/** The postmaster, of which sessions are born, reads a file before it tells any session to. */
async function untilLoaded(
  session: ControlConnection,
  names: string,
  before: string,
  { clock }: SettingsTurn,
): Promise<void> {
  const deadline = clock.now() + reloadMs;
  for (;;) {
    const now = await loadedNames(session);
    if (now.names === names && now.loadedAt !== before) return;
    if (clock.now() >= deadline) {
      throw new PgError(
        SqlState.objectNotInPrerequisiteState,
        `the server did not reload its settings within ${reloadMs} ms`,
      );
    }
    await pause(clock, pollMs);
  }
}

/** As of the session, which last read its server's files then. */
type LoadedNames = { readonly names: string; readonly loadedAt: string };

async function loadedNames(session: ControlConnection): Promise<LoadedNames> {
  const [loaded] = await session.query<LoadedNames>(
    `select current_setting('synchronous_standby_names') as names,
      pg_conf_load_time()::text as "loadedAt"`,
  );
  if (loaded === undefined) throw new PgError(SqlState.connectionFailure, 'a query got no row');
  return loaded;
}

/**
 * pg_promote's own waiting looks every 100 ms only. `xids` null: it was promoted before. The settings
 * are the session's, which is to write the epoch even where a fence has just been lifted.
 */
async function promote(
  session: ControlConnection,
  before: Role,
  options: InstallOptions,
): Promise<{ readonly after: Role; readonly xids: XidBounds | null }> {
  const { clock, promoteTimeoutMs, node } = options;
  const writable = 'set default_transaction_read_only = off';
  if (!before.recovering) {
    await session.execute(writable);
    return { after: before, xids: null };
  }
  // A paused replay would notice the promotion only with its next look, up to a second later.
  await session.execute(`${writable};
    select pg_wal_replay_resume() where pg_is_wal_replay_paused();
    select pg_promote(wait => false)`);
  const deadline = clock.now() + promoteTimeoutMs;
  let replayed = before.xid;
  let role = await readRole(session);
  for (; role.recovering; role = await readRole(session)) {
    replayed = role.xid;
    if (clock.now() >= deadline) {
      throw new PgError(
        SqlState.objectNotInPrerequisiteState,
        `${node.id} did not end its recovery within ${promoteTimeoutMs} ms`,
      );
    }
    await pause(clock, pollMs);
  }
  return { after: role, xids: { replayed, next: role.xid } };
}

type Role = {
  readonly recovering: boolean;
  /**
   * No transaction from it on has ended. The snapshot is older than the answer about recovery, so one
   * that was taken in recovery is of recovery.
   */
  readonly xid: string;
  /** What was replayed last; after a promotion, where recovery ended. null: it was no standby. */
  readonly lsn: string | null;
  /** Its synchronous_standby_names. */
  readonly names: string;
  readonly hasEpochs: boolean;
};

async function readRole(session: ControlConnection): Promise<Role> {
  const [role] = await session.query<Role>(
    `select pg_snapshot_xmax(pg_current_snapshot())::text as xid, pg_is_in_recovery() as recovering,
      pg_last_wal_replay_lsn()::text as lsn, current_setting('synchronous_standby_names') as names,
      to_regclass('pgweave.epoch') is not null as "hasEpochs"`,
  );
  if (role === undefined) throw new PgError(SqlState.connectionFailure, 'a query got no row');
  return role;
}

async function createEpochs(session: ControlConnection): Promise<void> {
  await session.execute(`
    set local synchronous_commit = local;
    create schema if not exists pgweave;
    create table if not exists pgweave.epoch (
      epoch bigint primary key,
      uuid text not null,
      node text not null,
      began_at timestamptz not null default now()
    );
    grant usage on schema pgweave to public;
    grant select on pgweave.epoch to public`);
}

/**
 * The rows travel with the WAL: whoever holds this one has this line of history. Only this statement's
 * commit is local: what is asked next is the server's own setting.
 */
async function writeEpoch(session: ControlConnection, intent: Intent): Promise<void> {
  await session.query(
    `insert into pgweave.epoch (epoch, uuid, node)
      select $1::bigint, $2::text, $3::text
        where set_config('synchronous_commit', 'local', true) = 'local'
      on conflict do nothing`,
    [intent.epoch, intent.uuid, intent.candidate],
  );
}
