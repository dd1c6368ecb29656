import type { LeaseRequest, PoolCounts } from '../backend/pool.ts';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { User } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { ShardState } from './failover/shard-state.ts';
import { HeirPool, type NodePool, type OpenPool } from './heir-pool.ts';
import { HoldTimes } from './hold-times.ts';
import { isOutage } from './is-outage.ts';

export type ShardLineParts = {
  readonly clock: Clock;
  readonly openPool: OpenPool;
  /** How long a request may wait for a primary. */
  holdMaxMs(): number;
};

export type ShardLineReport = {
  readonly shard: ShardId;
  readonly epoch: number;
  /** Requests that wait for a primary. */
  readonly held: number;
  /** Of the last epoch that somebody waited for: see HoldTimes. */
  readonly holds: readonly number[];
};

/** A request from lease() until it is granted, refused or given up. */
type Ticket = {
  readonly request: LeaseRequest;
  readonly since: number;
  /** It has waited for a primary. */
  isHeld: boolean;
  /** Takes the request back from the pool that has it; null while it is held here. */
  withdraw: (() => void) | null;
  ended: boolean;
  /** Why the last pool refused it. */
  failure: PgError | null;
};

/** Where connecting failed although there should be a primary, it is tried again after this long. */
const retryMs = 50;
/** For more requests that wait, connections are opened when there is a primary. */
const preparedMax = 100;
/** Of each user, while the primary may live yet. */
const unsureLoginsMax = 4;

/**
 * The requests for one shard's primary, and the pool that serves them. While there is no primary they
 * stand in line, oldest first; a client has one request at most, so the line is as bounded as clients
 * are. What a replaced primary still says is discarded with its connections.
 */
export class ShardLine {
  readonly #parts: ShardLineParts;
  #state: ShardState;
  #current: NodePool | null = null;
  #heir: HeirPool | null = null;
  readonly #holds = new HoldTimes();
  /** The last epoch that had a primary. */
  #servedEpoch = 0;
  #held: Ticket[] = [];
  #cancelTimer: (() => void) | null = null;

  constructor(parts: ShardLineParts, state: ShardState) {
    this.#parts = parts;
    this.#state = state;
  }

  get state(): ShardState {
    return this.#state;
  }

  /** The pool in use and its counts; what is held here counts as waiting there. */
  reading(): (NodePool & { readonly counts: PoolCounts }) | null {
    if (this.#current === null) return null;
    const { node, pool } = this.#current;
    const { counts } = pool;
    const [oldest] = this.#held;
    const heldMs = oldest === undefined ? 0 : this.#parts.clock.now() - oldest.since;
    return {
      node,
      pool,
      counts: {
        ...counts,
        waiting: counts.waiting + this.#held.length,
        waitMs: Math.max(counts.waitMs, heldMs),
      },
    };
  }

  /** For whoever looks at the shard after its primary was replaced. */
  report(): ShardLineReport {
    const { shard, epoch } = this.#state;
    return { shard, epoch, held: this.#held.length, holds: this.#holds.counts };
  }

  lease(request: LeaseRequest): () => void {
    const since = this.#parts.clock.now();
    const ticket: Ticket = {
      request,
      since,
      isHeld: false,
      withdraw: null,
      ended: false,
      failure: null,
    };
    // Whoever waits already goes first.
    if (this.#state.primary === null || this.#held.length > 0) this.#hold(ticket);
    else this.#submit(ticket);
    return () => {
      if (ticket.ended) return;
      ticket.ended = true;
      ticket.withdraw?.();
      this.#held = this.#held.filter((held) => held !== ticket);
    };
  }

  update(state: ShardState): void {
    const { epoch, primary } = this.#state;
    const replaced =
      state.epoch !== epoch ||
      (state.primary !== null && state.primary !== (this.#current?.node.id ?? primary));
    this.#state = state;
    this.#prepareHeir();
    if (replaced) this.#cut();
    if (state.primary === null) return;
    this.#servedEpoch = state.epoch;
    if (this.#heir?.node.id === state.primary) this.#current ??= this.#openPool();
    this.#replay();
  }

  /** Refuses what waits and closes what is open. */
  close(error: PgError): void {
    const held = this.#held;
    this.#held = [];
    this.#stopTimer();
    for (const ticket of held) this.#refuse(ticket, error);
    this.#heir?.close(error);
    this.#heir = null;
    this.#current?.pool.close(error);
    this.#current = null;
  }

  /** Before the old primary's connections are cut, which tell how many are wanted. */
  #prepareHeir(): void {
    const { heir, primary, identity, shard } = this.#state;
    const wanted = heir ?? primary;
    if (this.#heir !== null && this.#heir.node.id !== wanted) {
      const reason = `${this.#heir.node.id} did not become primary of shard "${shard}"`;
      this.#heir.close(new PgError(SqlState.cannotConnectNow, reason));
      this.#heir = null;
    }
    if (heir === null || this.#current?.node.id === heir) return;
    this.#heir ??= HeirPool.open(heir, identity, this.#parts.openPool);
    this.#logIn(this.#current?.pool.users ?? []);
  }

  /** Until the claim stands a few logins have to do: they must not be in the way of its proof. */
  #logIn(open: readonly User[]): void {
    const { primary, epoch } = this.#state;
    const isSure = primary !== null || epoch > this.#servedEpoch;
    const waiting = this.#held.map(({ request }) => request.user);
    this.#heir?.prepareFor(open, waiting, isSure ? Infinity : unsureLoginsMax);
  }

  #cut(): void {
    const old = this.#current;
    this.#current = null;
    old?.pool.close(
      new PgError(
        SqlState.connectionFailure,
        `the primary ${old.node.id} of shard "${this.#state.shard}" was replaced`,
      ),
    );
  }

  #replay(): void {
    const held = this.#held;
    this.#held = [];
    this.#stopTimer();
    for (const ticket of held) if (!ticket.ended) this.#submit(ticket);
  }

  #submit(ticket: Ticket): void {
    this.#current ??= this.#openPool();
    if (this.#current === null) {
      this.#hold(ticket);
      return;
    }
    const { pool } = this.#current;
    const { request } = ticket;
    let settled = false;
    const withdraw = pool.lease({
      user: request.user,
      settings: request.settings,
      mode: request.mode,
      onLease: (connection) => {
        settled = true;
        ticket.ended = true;
        if (ticket.isHeld) this.#noteHold(ticket);
        request.onLease(connection);
      },
      onRefused: (error) => {
        settled = true;
        this.#refused(ticket, error);
      },
    });
    if (!settled) ticket.withdraw = withdraw;
  }

  #noteHold({ since }: Ticket): void {
    this.#holds.add(this.#state.epoch, this.#parts.clock.now() - since);
  }

  #openPool(): NodePool | null {
    const { primary, identity } = this.#state;
    const heir = this.#heir;
    if (heir === null || heir.node.id !== primary) {
      return primary === null ? null : this.#parts.openPool(primary, identity);
    }
    this.#heir = null;
    return heir.succeed(identity);
  }

  /** Nothing was sent yet: another connection, perhaps to another server, may do. */
  #refused(ticket: Ticket, error: PgError): void {
    ticket.withdraw = null;
    if (ticket.ended) return;
    ticket.failure = error;
    if (isOutage(error)) this.#hold(ticket);
    else this.#refuse(ticket, error);
  }

  #hold(ticket: Ticket): void {
    if (this.#parts.clock.now() - ticket.since >= this.#parts.holdMaxMs()) {
      this.#refuse(ticket, this.#tooLong(ticket));
      return;
    }
    ticket.isHeld = true;
    this.#held.push(ticket);
    this.#held.sort((a, b) => a.since - b.since);
    if (this.#held.length <= preparedMax) this.#logIn([]);
    this.#cancelTimer ??= this.#parts.clock.every(retryMs, () => this.#tick());
  }

  #tick(): void {
    const now = this.#parts.clock.now();
    const holdMaxMs = this.#parts.holdMaxMs();
    const late = this.#held.filter((ticket) => now - ticket.since >= holdMaxMs);
    this.#held = this.#held.filter((ticket) => !late.includes(ticket));
    for (const ticket of late) this.#refuse(ticket, this.#tooLong(ticket));
    if (this.#state.primary !== null) this.#replay();
    if (this.#held.length === 0) this.#stopTimer();
  }

  #tooLong(ticket: Ticket): PgError {
    const { shard, primary, reason } = this.#state;
    if (primary !== null && ticket.failure !== null) return ticket.failure;
    return new PgError(SqlState.cannotConnectNow, `shard "${shard}" has no primary: ${reason}`, {
      hint: 'nothing was sent to a server; the statement can be repeated',
    });
  }

  #refuse(ticket: Ticket, error: PgError): void {
    if (ticket.ended) return;
    ticket.ended = true;
    ticket.request.onRefused(error);
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}
