import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CrashSetting } from '../../config/config.ts';
import { conninfoAddress, nowhere, readConninfo, standbyName } from '../conninfo.ts';
import type { ControlConnection } from '../control-connection.ts';
import type { ProbeAnswer } from '../failover/probe-answer.ts';
import { startedAtSql } from '../started-at.ts';

type ProbeRow = {
  readonly in_recovery: boolean;
  readonly system_id: string;
  readonly timeline: number;
  readonly started_at: string;
  readonly has_checkpointer: boolean;
  readonly server_version: number;
  readonly lsn: string;
  readonly replay_lsn: string;
  readonly replay_paused: boolean;
  readonly has_epoch: boolean;
  readonly epoch: { readonly epoch: number; readonly uuid: string } | null;
  readonly conninfo: string | null;
  readonly cluster_name: string;
  readonly sender_timeout_ms: number;
  readonly receiver_age_ms: number | null;
  readonly synchronous_standby_names: string;
  readonly synchronous_commit: string;
  readonly settings_off: readonly CrashSetting[];
  readonly standbys: readonly {
    readonly applicationName: string;
    readonly state: string;
    readonly syncState: string;
    readonly flushLsn: string | null;
  }[];
};

/**
 * Everything about a node in one round trip. Log positions are compared as "greater of received and
 * replayed": after a restart a standby has received nothing, yet replayed up to where it stopped.
 */
export class ProbeQuery {
  #hasEpoch = true;
  #hasCheckpointer = false;

  /** Rejects with 57P01 when the answer is that of a session whose server has died under it. */
  async ask(connection: ControlConnection): Promise<ProbeAnswer> {
    const first = await this.#row(connection);
    // The table has just appeared: its row belongs to this answer.
    const hasAppeared = first.has_epoch && !this.#hasEpoch;
    this.#hasEpoch ||= hasAppeared;
    const row = hasAppeared ? await this.#row(connection) : first;
    // Not everybody may see it. Who has seen it once sees it for as long as there is a server.
    if (this.#hasCheckpointer && !row.has_checkpointer) {
      throw new PgError(SqlState.adminShutdown, 'the processes of the server are ending');
    }
    this.#hasCheckpointer = row.has_checkpointer;
    return answerOf(row);
  }

  async #row(connection: ControlConnection): Promise<ProbeRow> {
    try {
      const [row] = await connection.query<ProbeRow>(probeSql(this.#hasEpoch));
      if (row !== undefined) return row;
    } catch (error) {
      const missing = error instanceof PgError && error.sqlState === SqlState.undefinedTable;
      if (!missing || !this.#hasEpoch) throw error;
      this.#hasEpoch = false;
      return await this.#row(connection);
    }
    throw new PgError(SqlState.connectionFailure, 'the probe got no row');
  }
}

function probeSql(withEpoch: boolean): string {
  const epoch = withEpoch
    ? `(select json_build_object('epoch', e.epoch, 'uuid', e.uuid)
        from pgweave.epoch e order by e.epoch desc limit 1)`
    : 'null::json';
  return `
    select n.in_recovery, (select system_identifier::text from pg_control_system()) as system_id,
      case when n.in_recovery
        then coalesce(r.received_tli, (select timeline_id from pg_control_checkpoint()))
        else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
      end as timeline,
      ${startedAtSql} as started_at,
      exists (select from pg_stat_activity a where a.backend_type = 'checkpointer')
        as has_checkpointer,
      current_setting('server_version_num')::int as server_version,
      (case when n.in_recovery
        then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), '0/0'::pg_lsn)
        else pg_current_wal_flush_lsn() end - '0/0'::pg_lsn)::text as lsn,
      (case when n.in_recovery
        then coalesce(pg_last_wal_replay_lsn(), '0/0'::pg_lsn)
        else pg_current_wal_flush_lsn() end - '0/0'::pg_lsn)::text as replay_lsn,
      n.in_recovery and pg_is_wal_replay_paused() as replay_paused,
      to_regclass('pgweave.epoch') is not null as has_epoch,
      ${epoch} as epoch,
      case when n.in_recovery then current_setting('primary_conninfo') end as conninfo,
      current_setting('cluster_name') as cluster_name,
      case when r.status = 'streaming' then
        extract(epoch from clock_timestamp() - r.last_msg_receipt_time)::float8 * 1000
      end as receiver_age_ms,
      extract(epoch from current_setting('wal_sender_timeout')::interval)::float8 * 1000
        as sender_timeout_ms,
      current_setting('synchronous_standby_names') as synchronous_standby_names,
      current_setting('synchronous_commit') as synchronous_commit,
      (select coalesce(json_agg(o.name), '[]') from unnest(array['fsync', 'full_page_writes']) o (name)
        where current_setting(o.name) = 'off') as settings_off,
      coalesce((select json_agg(json_build_object(
          'applicationName', s.application_name, 'state', s.state, 'syncState', s.sync_state,
          'flushLsn', (s.flush_lsn - '0/0'::pg_lsn)::text))
        from pg_stat_replication s), '[]') as standbys
    from (select pg_is_in_recovery() as in_recovery) n left join pg_stat_wal_receiver r on true`;
}

function answerOf(row: ProbeRow): ProbeAnswer {
  return {
    inRecovery: row.in_recovery,
    systemId: row.system_id,
    timeline: row.timeline,
    startedAt: row.started_at,
    serverVersion: row.server_version,
    lsn: BigInt(row.lsn),
    replayLsn: BigInt(row.replay_lsn),
    replayPaused: row.replay_paused,
    epoch: row.epoch,
    applicationName: row.conninfo === null ? null : standbyName(row.conninfo, row.cluster_name),
    upstream: row.conninfo === null ? null : conninfoAddress(row.conninfo),
    revoked: readConninfo(row.conninfo ?? '').get('host') === nowhere.host,
    receiverAgeMs: row.receiver_age_ms,
    // It asks for a reply after half of the time.
    keepaliveMs: row.sender_timeout_ms === 0 ? Infinity : row.sender_timeout_ms / 2,
    synchronousStandbyNames: row.synchronous_standby_names,
    synchronousCommit: row.synchronous_commit,
    off: row.settings_off,
    standbys: row.standbys.map((standby) => ({
      ...standby,
      flushLsn: BigInt(standby.flushLsn ?? 0),
    })),
  };
}
