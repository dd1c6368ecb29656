import type { Clock } from '../base/clock.ts';
import type { PoolSlots } from './pool-slots.ts';

/** Closes the connections of a pool that have been idle for `timeoutMs`. */
export class IdleTimer {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #slots: PoolSlots;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, timeoutMs: number, slots: PoolSlots) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#slots = slots;
  }

  /** To be called whenever a slot has become idle; cheap when the timer runs already. */
  arm(): void {
    const [oldest] = this.#slots.idle;
    if (oldest === undefined || this.#cancel !== null) return;
    const delayMs = oldest.idleSince + this.#timeoutMs - this.#clock.now();
    this.#cancel = this.#clock.after(Math.max(1, delayMs), () => this.#expire());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #expire(): void {
    this.#cancel = null;
    const latest = this.#clock.now() - this.#timeoutMs;
    for (const slot of this.#slots.idle.filter(({ idleSince }) => idleSince <= latest)) {
      slot.connection.close();
    }
    this.arm();
  }
}
