import type { Clock } from '../base/clock.ts';
import type { LeaseRequest } from './pool.ts';

/** A lease request that could not be served at once. */
export type Ticket = {
  readonly request: LeaseRequest;
  /** Clock.now() of the request. */
  readonly since: number;
  /** No callback may be called any more. */
  isGivenUp: boolean;
};

/** Tickets first come, first served. All wait equally long, so one timer for the first is enough. */
export class WaitQueue {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #onTimeout: (ticket: Ticket) => void;
  readonly #tickets = new Set<Ticket>();
  #stopTimer: (() => void) | null = null;

  constructor(clock: Clock, timeoutMs: number, onTimeout: (ticket: Ticket) => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#onTimeout = onTimeout;
  }

  get size(): number {
    return this.#tickets.size;
  }

  /** Milliseconds that the first one has waited; 0 when nobody waits. */
  get longestWaitMs(): number {
    const [first] = this.#tickets;
    return first === undefined ? 0 : this.#clock.now() - first.since;
  }

  /** In order; tickets may be deleted meanwhile. */
  [Symbol.iterator](): IterableIterator<Ticket> {
    return this.#tickets.values();
  }

  add(ticket: Ticket): void {
    this.#tickets.add(ticket);
    if (this.#stopTimer === null) this.#arm(ticket);
  }

  /** False when it was not waiting any more. */
  delete(ticket: Ticket): boolean {
    const wasWaiting = this.#tickets.delete(ticket);
    if (this.#tickets.size === 0) {
      this.#stopTimer?.();
      this.#stopTimer = null;
    }
    return wasWaiting;
  }

  #arm(first: Ticket): void {
    const delayMs = Math.max(0, first.since + this.#timeoutMs - this.#clock.now());
    this.#stopTimer = this.#clock.after(delayMs, () => this.#expire());
  }

  #expire(): void {
    this.#stopTimer = null;
    const now = this.#clock.now();
    for (const ticket of this.#tickets) {
      if (now < ticket.since + this.#timeoutMs) break;
      this.#tickets.delete(ticket);
      this.#onTimeout(ticket);
    }
    const [first] = this.#tickets;
    if (first !== undefined && this.#stopTimer === null) this.#arm(first);
  }
}
