import { assert } from '../base/assert.ts';
import type { PgError } from '../base/pg-error.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { User } from '../config/config.ts';
import { encodeQuery } from '../protocol/query-message.ts';
import { ConnectionOpener, type OpenerOptions } from './connection-opener.ts';
import { IdleTimer } from './idle-timer.ts';
import { LostSlots } from './lost-slots.ts';
import { isNodeTrouble, noneCameFree } from './node-failure.ts';
import type { ConnectionEnd, PipelineConnection } from './pipeline-connection.ts';
import type { LeaseRequest, Pool, PoolCounts } from './pool.ts';
import type { PoolSlot } from './pool-slot.ts';
import { PoolSlots } from './pool-slots.ts';
import { reservationRefusal } from './reservation-refusal.ts';
import { emptySettings } from './session-settings.ts';
import { type SetupOutcome, setupExchange } from './setup-exchange.ts';
import { type Ticket, WaitQueue } from './wait-queue.ts';

export type ConnectionPoolOptions = Omit<OpenerOptions, 'owner' | 'onOpened' | 'onFailed'> & {
  /** This worker's part of limits.serverConnectionsMax; 1 at least. */
  readonly connectionsMax: number;
  readonly telemetry: Telemetry;
  /** The server cannot be reached, or ended a connection without being asked to. */
  onNodeTrouble(error: PgError): void;
};

/**
 * The connections of one worker to one node, for all users together.
 *
 * A request takes an idle connection of its server user, the latest used one: it has warm caches,
 * and the others can time out. A `shared` one may also queue behind others' exchanges. What cannot
 * be served waits in one line, and for each in the line capacity is on its way: a connection is
 * being opened, an idle one of another user makes room, or a shared one drains.
 */
export class ConnectionPool implements Pool {
  readonly #options: ConnectionPoolOptions;
  readonly #opener: ConnectionOpener;
  readonly #slots = new PoolSlots();
  readonly #lost: LostSlots;
  readonly #waiting: WaitQueue;
  readonly #idleTimer: IdleTimer;
  #lastReceivedAt = 0;
  #closedBy: PgError | null = null;
  #isServing = false;
  #serveAgain = false;
  #stopRetryTimer: (() => void) | null = null;

  constructor(options: ConnectionPoolOptions) {
    assert(options.connectionsMax >= 1, 'a pool needs room for a connection');
    const { clock, limits } = options;
    this.#options = options;
    this.#lost = new LostSlots(clock);
    this.#idleTimer = new IdleTimer(clock, limits.serverIdleTimeoutMs, this.#slots);
    this.#waiting = new WaitQueue(clock, limits.acquireTimeoutMs, (ticket) =>
      ticket.request.onRefused(noneCameFree(options)),
    );
    const owner = {
      received: () => {
        this.#lastReceivedAt = clock.now();
      },
      advanced: (connection: PipelineConnection) => this.#advanced(this.#slots.of(connection)),
      released: (connection: PipelineConnection) => this.#released(this.#slots.of(connection)),
      mayReserve: () => reservationRefusal(options, this.#slots.reservedCount),
      cancelSettled: (connection: PipelineConnection) => {
        const slot = this.#slots.of(connection);
        if (slot.state === 'settling') this.#retire(slot);
      },
      ended: (connection: PipelineConnection, error: PgError, end: ConnectionEnd) =>
        this.#ended(this.#slots.of(connection), error, end),
    };
    this.#opener = new ConnectionOpener({
      ...options,
      owner,
      onOpened: (connection, user) => this.#opened(connection, user),
      onFailed: (error, user) => this.#openingFailed(error, user),
    });
  }

  get lastReceivedAt(): number {
    return this.#lastReceivedAt;
  }

  get counts(): PoolCounts {
    return {
      idle: this.#slots.idle.length,
      active: this.#slots.size - this.#slots.idle.length,
      reserved: this.#slots.reservedCount,
      connecting: this.#opener.count,
      waiting: this.#waiting.size,
      waitMs: this.#waiting.longestWaitMs,
    };
  }

  get users(): readonly User[] {
    return [...this.#slots.all, ...this.#lost.recent].map(({ user }) => user);
  }

  prepare(user: User, count: number): void {
    const { serverUser } = user;
    const there = this.#slots.countOf(serverUser) + this.#opener.countOf(serverUser);
    if (this.#closedBy !== null || this.#opener.blockedBy(user) !== null) return;
    for (let left = count - there; left > 0 && this.#hasRoom(); left -= 1) this.#opener.open(user);
  }

  lease(request: LeaseRequest): () => void {
    if (this.#closedBy !== null) {
      request.onRefused(this.#closedBy);
      return nothingToGiveUp;
    }
    const slot = this.#choose(request);
    if (slot !== null && slot.connection.settings === request.settings) {
      this.#hand(slot, request);
      return nothingToGiveUp;
    }
    const ticket: Ticket = { request, since: this.#options.clock.now(), isGivenUp: false };
    if (slot === null) this.#wait(ticket);
    else this.#prepare(slot, ticket);
    return () => {
      ticket.isGivenUp = true;
      this.#waiting.delete(ticket);
    };
  }

  close(error: PgError): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = error;
    this.#idleTimer.stop();
    this.#stopRetryTimer?.();
    this.#opener.close();
    this.#refuse([...this.#waiting], error);
    for (const { state, connection } of this.#slots.all) {
      if (state === 'idle') connection.close();
      else connection.destroy(error.message);
    }
  }

  #choose(request: LeaseRequest): PoolSlot | null {
    const { pipelineDepthMax } = this.#options.limits;
    if (request.mode === 'shared') {
      const joined = this.#slots.shallowestShared(request, Math.min(joinDepth, pipelineDepthMax));
      if (joined !== null) return joined;
    }
    const idle = this.#slots.latestIdle(request);
    if (idle !== null || request.mode === 'exclusive') return idle;
    const shared = this.#slots.shallowestShared(request, pipelineDepthMax);
    if (shared === null) return null;
    this.#grow(request.user);
    return shared;
  }

  /** The slot is idle, in preparation for this very request, or shared already. */
  #hand(slot: PoolSlot, request: LeaseRequest): void {
    this.#slots.takeFromIdle(slot);
    const { connection } = slot;
    if (request.mode === 'exclusive') {
      slot.become('exclusive');
      request.onLease(connection);
      return;
    }
    if (slot.state !== 'shared') slot.become('shared');
    request.onLease(connection);
    // It was not used after all.
    if (slot.state === 'shared' && connection.depth === 0) this.#retire(slot);
  }

  /** Hands an idle slot over after its settings have been replayed. */
  #prepare(slot: PoolSlot, ticket: Ticket): void {
    const { request } = ticket;
    const { connection } = slot;
    const replay = request.settings.replay(connection.settings);
    if (replay === null) {
      this.#hand(slot, request);
      return;
    }
    this.#runSetup(slot, replay, (outcome) => {
      if (outcome.kind === 'done') connection.adoptSettings(request.settings);
      if (outcome.kind !== 'failed') this.#finishPreparing(slot, ticket, outcome.kind === 'done');
      else if (connection.settings === emptySettings)
        this.#failPreparing(slot, ticket, outcome.error);
      // What others have set may be what cannot be undone by name: not this one's mistake.
      else this.#clean(slot, (isClean) => this.#finishPreparing(slot, ticket, isClean));
    });
  }

  /** It has the right settings, or none, or is lost. */
  #finishPreparing(slot: PoolSlot, ticket: Ticket, isUsable: boolean): void {
    if (!ticket.isGivenUp) {
      if (isUsable) this.#prepare(slot, ticket);
      else this.#wait(ticket);
    } else if (isUsable) this.#becomeIdle(slot);
  }

  #failPreparing({ connection }: PoolSlot, { request, isGivenUp }: Ticket, error: PgError): void {
    connection.destroy('settings could not be replayed');
    if (!isGivenUp) request.onRefused(error);
  }

  /** Runs SQL of the pool's own on a slot that nobody uses. Bounded in time. */
  #runSetup(slot: PoolSlot, sql: string, onOutcome: (outcome: SetupOutcome) => void): void {
    const { clock, limits } = this.#options;
    const { connection } = slot;
    this.#slots.takeFromIdle(slot);
    if (slot.state !== 'preparing') slot.become('preparing');
    const stopTimer = clock.after(limits.connectTimeoutMs, () =>
      connection.destroy(`no answer in ${limits.connectTimeoutMs} ms`),
    );
    const exchange = setupExchange((outcome) => {
      stopTimer();
      onOutcome(outcome);
    });
    connection.send(exchange, [encodeQuery(sql)]);
  }

  #wait(ticket: Ticket): void {
    const hopeless = this.#closedBy ?? this.#whyHopeless(ticket.request.user);
    if (hopeless !== null) {
      ticket.request.onRefused(hopeless);
      return;
    }
    this.#waiting.add(ticket);
    this.#serveWaiting();
  }

  /** Logins of this user have just failed, and there is no connection that could come free. */
  #whyHopeless(user: User): PgError | null {
    return this.#slots.hasUser(user.serverUser)
      ? null
      : (this.#opener.blockedBy(user)?.error ?? null);
  }

  /** To be called whenever something changed that a request in the line may gain by. */
  #serveWaiting(): void {
    this.#serveAgain = true;
    // What is called back may lead here again: the outer call goes on for it.
    if (this.#isServing) return;
    this.#isServing = true;
    while (this.#serveAgain && this.#waiting.size > 0) {
      this.#serveAgain = false;
      this.#serveOnce();
      if (!this.#serveAgain) this.#arrangeCapacity();
    }
    this.#isServing = false;
  }

  #serveOnce(): void {
    let unserved = 0;
    for (const ticket of this.#waiting) {
      const slot = this.#choose(ticket.request);
      if (slot === null) {
        if (++unserved === lookahead) return;
      } else {
        this.#waiting.delete(ticket);
        this.#prepare(slot, ticket);
      }
    }
  }

  /** Sees to it that as many connections are on their way as requests wait. */
  #arrangeCapacity(): void {
    let covered = this.#opener.count + this.#slots.comingCount;
    let left = this.#options.connectionsMax;
    for (const { request } of this.#waiting) {
      if (left-- === 0) return;
      if (covered > 0) covered--;
      else if (!this.#makeRoom(request)) return;
    }
  }

  #makeRoom(request: LeaseRequest): boolean {
    const { user } = request;
    const blocked = this.#opener.blockedBy(user);
    if (blocked !== null) this.#retryLater(blocked.waitMs);
    else if (this.#hasRoom() || this.#slots.evictIdle(user.serverUser)) {
      this.#opener.open(user);
      return true;
    }
    return this.#drainShared(request);
  }

  /** Without this, shared statements could keep a connection busy for ever. */
  #drainShared(request: LeaseRequest): boolean {
    // It only has to wait until one of them is less deep.
    const fits = request.mode === 'shared' && this.#slots.shallowestShared(request, Infinity);
    if (fits) return true;
    const shared = this.#slots.soonestDrained(request.user.serverUser);
    shared?.become('draining');
    return shared !== null;
  }

  #retryLater(delayMs: number): void {
    if (this.#stopRetryTimer !== null) return;
    this.#stopRetryTimer = this.#options.clock.after(delayMs, () => {
      this.#stopRetryTimer = null;
      this.#serveWaiting();
    });
  }

  #refuse(tickets: readonly Ticket[], error: PgError): void {
    for (const ticket of tickets) {
      if (this.#waiting.delete(ticket)) ticket.request.onRefused(error);
    }
  }

  #hasRoom(): boolean {
    return this.#slots.size + this.#opener.count < this.#options.connectionsMax;
  }

  #grow(user: User): void {
    if (this.#opener.count > 0 || !this.#hasRoom()) return;
    if (this.#opener.blockedBy(user) === null) this.#opener.open(user);
  }

  #opened(connection: PipelineConnection, user: User): void {
    this.#enterIdle(this.#slots.add(connection, user));
  }

  #openingFailed(error: PgError, user: User): void {
    this.#warn('could not open a server connection', error);
    if (isNodeTrouble(error)) this.#options.onNodeTrouble(error);
    if (!this.#slots.hasUser(user.serverUser)) {
      const { serverUser } = user;
      const same = [...this.#waiting].filter(
        ({ request }) => request.user.serverUser === serverUser,
      );
      this.#refuse(same, error);
    }
    this.#serveWaiting();
  }

  #advanced(slot: PoolSlot): void {
    const isSpent = slot.connection.depth === 0;
    if (isSpent && (slot.state === 'shared' || slot.state === 'draining')) this.#retire(slot);
    else if (this.#waiting.size > 0) this.#serveWaiting();
  }

  #released(slot: PoolSlot): void {
    assert(slot.state === 'exclusive', `a ${slot.state} connection was released`);
    this.#retire(slot);
  }

  /** Nobody uses it any more: clean it, or close it where it cannot be cleaned. */
  #retire(slot: PoolSlot): void {
    const { connection } = slot;
    if (connection.isUnfit) this.#discard(slot);
    else if (connection.isCancelling) slot.become('settling');
    else if (connection.isTainted) this.#clean(slot, (ok) => ok && this.#becomeIdle(slot));
    else this.#becomeIdle(slot);
  }

  #discard({ connection }: PoolSlot): void {
    const { id } = connection.node;
    const { status } = connection;
    this.#options.telemetry.log('debug', 'closed an unfinished server session', { id, status });
    connection.destroy('the session was left unfinished');
  }

  #clean(slot: PoolSlot, onEnd: (isClean: boolean) => void): void {
    this.#runSetup(slot, 'DISCARD ALL', (outcome) => {
      if (outcome.kind === 'failed') slot.connection.destroy('the session could not be reset');
      if (outcome.kind === 'done') slot.connection.cleanse();
      onEnd(outcome.kind === 'done');
    });
  }

  #becomeIdle(slot: PoolSlot): void {
    slot.become('idle');
    this.#enterIdle(slot);
  }

  #enterIdle(slot: PoolSlot): void {
    this.#slots.addToIdle(slot, this.#options.clock.now());
    if (this.#waiting.size > 0) this.#serveWaiting();
    this.#idleTimer.arm();
  }

  #ended(slot: PoolSlot, error: PgError, end: ConnectionEnd): void {
    this.#slots.delete(slot);
    slot.become('closed');
    if (end === 'lost') this.#lost.add(slot);
    if (end === 'lost') this.#options.onNodeTrouble(error);
    if (end === 'failed') this.#warn('gave up a server connection', error);
    if (this.#closedBy === null && this.#waiting.size > 0) this.#serveWaiting();
  }

  #warn(message: string, { sqlState, message: error }: PgError): void {
    const { node, telemetry } = this.#options;
    telemetry.log('warn', message, { node: node.id, sqlState, error });
  }
}

/**
 * Below it a short statement joins others even beside an idle connection: they leave in one write
 * and wake one server process. From it on, another connection is worth its price.
 */
const joinDepth = 8;
/** Requests at the front of the line that may be passed by others which fit what came free. */
const lookahead = 16;

function nothingToGiveUp(): void {}
