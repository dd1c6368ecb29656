import type { Clock } from '../../base/clock.ts';
import type { NodeAddress } from '../../config/config.ts';
import { ControlConnection, type ControlLogin } from '../control-connection.ts';

export type HeartbeatParts = {
  /** Of this supervisor, by chance: its row. */
  readonly supervisor: number;
  readonly login: ControlLogin;
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Longer without an acknowledgement is reported. */
  readonly lateMs: number;
  /** `isRivalled`: another supervisor has written its own row since the beat before. */
  onAcknowledged(node: NodeAddress, lsn: bigint, isRivalled: boolean): void;
  onLate(node: NodeAddress, sentAt: number): void;
};

/** Longer than any wait for a standby before it is given up. */
const timeoutMs = 30_000;

/** Times of the rows of other supervisors, by their numbers. */
type Others = { readonly [supervisor: string]: string };

/**
 * Writes one row on the primary again and again, in a session of its own since a write may be stuck.
 * It keeps the stream to the standbys from ever being silent, finds servers that answer but cannot
 * write, knows a position that is acknowledged and so must never be lost, and meets other supervisors.
 */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  readonly #cancelTimer: () => void;
  #node: NodeAddress | null = null;
  #session: ControlConnection | null = null;
  #sentAt: number | null = null;
  /** As of the last beat; rows of supervisors that are gone stay as they are. */
  #others: Others | null = null;
  #reported = false;
  #stopped = false;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    this.#cancelTimer = parts.clock.every(parts.intervalMs, () => this.#tick());
  }

  /** null: there is no primary now. */
  beatOn(node: NodeAddress | null): void {
    if (node?.id === this.#node?.id) return;
    this.#node = node;
    this.#sentAt = null;
    this.#others = null;
    this.#session?.close();
    this.#session = null;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
    this.#session?.close();
  }

  #tick(): void {
    const { clock, lateMs } = this.#parts;
    const node = this.#node;
    if (node === null || this.#stopped) return;
    if (this.#sentAt === null) {
      this.#sentAt = clock.now();
      this.#reported = false;
      // #beat never rejects.
      void this.#beat(node);
    } else if (!this.#reported && clock.now() - this.#sentAt >= lateMs) {
      this.#reported = true;
      this.#parts.onLate(node, this.#sentAt);
    }
  }

  async #beat(node: NodeAddress): Promise<void> {
    try {
      const session = await this.#connect(node);
      const { supervisor, onAcknowledged } = this.#parts;
      const beat = [supervisor] as const;
      const [row] = await session.query<{ lsn: string; others: Others }>(beatSql, beat);
      if (!this.#stopped && this.#node === node && row !== undefined) {
        const isRivalled = hasNews(this.#others, row.others);
        this.#others = row.others;
        onAcknowledged(node, BigInt(row.lsn), isRivalled);
      }
    } catch {
      // Probes tell why a server cannot be reached; a beat that fails is one that is missing.
      if (this.#session?.alive !== true) this.#session = null;
    } finally {
      if (this.#node === node) this.#sentAt = null;
    }
  }

  async #connect(node: NodeAddress): Promise<ControlConnection> {
    if (this.#session?.alive === true) return this.#session;
    const { login } = this.#parts;
    const settings = { default_transaction_read_only: 'off' };
    const session = await ControlConnection.open({ node, login, settings, timeoutMs });
    if (this.#stopped || this.#node !== node) session.close();
    this.#session = session;
    await session.execute(
      `create table if not exists pgweave.heartbeat (id int primary key, at timestamptz not null);
        delete from pgweave.heartbeat where at < now() - interval '1 day'`,
    );
    return session;
  }
}

function hasNews(before: Others | null, now: Others): boolean {
  return before !== null && Object.entries(now).some(([id, at]) => before[id] !== at);
}

/**
 * One statement is one transaction: when its row arrives, it is committed. The position is one from
 * before its commit record, so a lower bound of what is acknowledged.
 */
const beatSql = `
  insert into pgweave.heartbeat values ($1, now())
    on conflict (id) do update set at = excluded.at
    returning (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text as lsn,
      (select coalesce(json_object_agg(o.id, o.at), '{}') from pgweave.heartbeat o
        where o.id <> $1) as others`;
