import type { Clock } from '../../base/clock.ts';
import type { NodeAddress, NodeId } from '../../config/config.ts';
import type { ControlConnection, ControlLogin } from '../control-connection.ts';
import { type FailoverState, nodeView } from '../failover/failover-state.ts';
import type { ShardRecord } from '../failover/shard-record.ts';
import type { XidBounds } from '../failover/xid-bounds.ts';
import { pause } from '../pause.ts';
import { SharedSessions } from '../shared-sessions.ts';
import { startedAtSql } from '../started-at.ts';
import type { CommitQuestion } from './commit-question.ts';
import type { TransactionOutcome } from './transaction-outcome.ts';

export type CommitResolutionParts = {
  readonly nodes: readonly NodeAddress[];
  readonly login: ControlLogin;
  readonly clock: Clock;
  /** As it is now. */
  readonly state: () => FailoverState;
  /** There is no sense in waiting for another state. */
  readonly isStopped: () => boolean;
  /** How long a primary is waited for, milliseconds. */
  readonly patienceMs: number;
};

/** Everything up to `lsn` is on the primary's disk, whose commits wait for `names`. */
type Position = { readonly lsn: string; readonly names: string };
/** `in progress`: also of an ID that has not been given out yet. */
type Answer = { readonly started_at: string; readonly status: string | null } & Position;
type Verdict = TransactionOutcome | 'unknown' | 'later';

/** How long a commit that is on the primary already may take to get to its standby. */
const replicationMs = 2000;
const pollMs = 10;
/** It is always committed. */
const bootstrapXid = '1';

/**
 * Finds out what became of a COMMIT. A primary that went on since is asked itself; after a promotion the
 * new one is, as far as its numbers still mean the same transactions (see XidBounds). After a restart in
 * between a number may be another transaction's, so that it tells only what was not committed.
 * `committed` also says that the standbys have it that commits wait for.
 */
export class CommitResolution {
  readonly #parts: CommitResolutionParts;
  readonly #sessions: SharedSessions;

  constructor(parts: CommitResolutionParts) {
    this.#parts = parts;
    this.#sessions = new SharedSessions(parts.login);
  }

  /** Never rejects; null: it cannot be known. */
  async resolve(question: CommitQuestion): Promise<TransactionOutcome | null> {
    const { clock, patienceMs, isStopped } = this.#parts;
    const deadline = clock.now() + (question.xid === null ? replicationMs : patienceMs);
    while (clock.now() < deadline && !isStopped()) {
      const verdict = await this.#attempt(question).catch((): Verdict => 'later');
      if (verdict === 'unknown') return null;
      if (verdict !== 'later') return verdict;
      await pause(clock, pollMs);
    }
    return null;
  }

  async #attempt(question: CommitQuestion): Promise<Verdict> {
    const { phase, record, succession } = this.#parts.state();
    if (phase.kind !== 'open' || record === null) return 'later';
    const { epoch, node, xid } = question;
    if (record.primary === node) {
      return await this.#connected(node, (session) => this.#askSame(session, question, record));
    }
    if (xid === null || succession?.after !== epoch || succession.epoch !== record.epoch) {
      return 'unknown';
    }
    const isSameStart = succession.startedAt === question.startedAt;
    return await this.#connected(record.primary, async (session) => {
      const verdict = await askHeir(session, xid, succession.xids);
      return verdict === 'committed' && !isSameStart ? 'unknown' : verdict;
    });
  }

  /**
   * It is the primary now. Without a restart it has never been anything else, whatever epochs were
   * begun meanwhile.
   */
  async #askSame(
    session: ControlConnection,
    question: CommitQuestion,
    record: ShardRecord,
  ): Promise<Verdict> {
    const { xid, startedAt } = question;
    const [row] = await session.query<Answer>(
      `select ${startedAtSql} as started_at, pg_current_wal_flush_lsn()::text as lsn,
        current_setting('synchronous_standby_names') as names,
        case when $1::text::xid8 < pg_snapshot_xmax(pg_current_snapshot())
          then pg_xact_status($1::text::xid8) else 'in progress' end as status`,
      [xid ?? bootstrapXid],
    );
    if (row === undefined) return 'unknown';
    if (row.started_at !== startedAt) {
      return await this.#askRestarted(session, question, row, record);
    }
    if (row.status === 'in progress') return 'later';
    if (row.status === 'aborted') return 'rolled-back';
    if (xid !== null && row.status !== 'committed') return 'unknown';
    return await this.#untilReplicated(session, row, record);
  }

  /** Whoever has the number since, no transaction that was committed counts as aborted. */
  async #askRestarted(
    session: ControlConnection,
    { xid, node, epoch }: CommitQuestion,
    row: Answer,
    record: ShardRecord,
  ): Promise<Verdict> {
    const { answer = null } = nodeView(this.#parts.state(), node) ?? {};
    // A session of a server that is dying says something else, too.
    if (answer?.startedAt !== row.started_at) return 'later';
    if (record.epoch !== epoch) return 'unknown';
    // Recovery has kept what had been on the disk already.
    if (xid === null) return await this.#untilReplicated(session, row, record);
    // It may run still, as the connection may have been newer than what we knew of its server.
    if (row.status === 'in progress') return 'later';
    return row.status === 'aborted' ? 'rolled-back' : 'unknown';
  }

  /** A primary that waits for nobody promises no more than its own disk, and has kept that. */
  async #untilReplicated(
    session: ControlConnection,
    { lsn, names: setting }: Position,
    { durability }: ShardRecord,
  ): Promise<Verdict> {
    const { clock, state } = this.#parts;
    if (durability.kind !== 'armed') return setting === '' ? 'committed' : 'later';
    const names = durability.members.map((id) => nodeView(state(), id)?.answer?.applicationName);
    const deadline = clock.now() + replicationMs;
    while (clock.now() < deadline) {
      const [row] = await session.query<{ count: number }>(
        `select count(*)::int as count from pg_stat_replication
          where state = 'streaming' and flush_lsn >= $1::pg_lsn
            and application_name in (select json_array_elements_text($2::json))`,
        [lsn, JSON.stringify(names)],
      );
      if ((row?.count ?? 0) >= durability.quorum) return 'committed';
      await pause(clock, pollMs);
    }
    return 'unknown';
  }

  async #connected(
    id: NodeId,
    ask: (session: ControlConnection) => Promise<Verdict>,
  ): Promise<Verdict> {
    const node = this.#parts.nodes.find((candidate) => candidate.id === id);
    return node === undefined ? 'unknown' : await this.#sessions.with(node, ask);
  }
}

/** The new primary, about a transaction of the one before it. */
async function askHeir(session: ControlConnection, xid: string, xids: XidBounds): Promise<Verdict> {
  if (BigInt(xid) >= BigInt(xids.next)) return 'rolled-back';
  const [row] = await session.query<{ status: string | null }>(
    'select pg_xact_status($1::text::xid8) as status',
    [xid],
  );
  // Whoever has the number now, no transaction that was committed counts as aborted.
  if (row?.status === 'aborted') return 'rolled-back';
  const isOurs = BigInt(xid) < BigInt(xids.replayed);
  return isOurs && row?.status === 'committed' ? 'committed' : 'unknown';
}
