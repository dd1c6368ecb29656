import type { Clock } from '../base/clock.ts';
import type { PoolSlot } from './pool-slot.ts';

/** Longer than it takes to notice that a server is dead, of which all connections end. */
const recentMs = 2000;

/** Connections that ended unasked: as many are wanted again. */
export class LostSlots {
  readonly #clock: Clock;
  #slots: readonly { readonly slot: PoolSlot; readonly at: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get recent(): readonly PoolSlot[] {
    const since = this.#clock.now() - recentMs;
    this.#slots = this.#slots.filter(({ at }) => at > since);
    return this.#slots.map(({ slot }) => slot);
  }

  add(slot: PoolSlot): void {
    const at = this.#clock.now();
    this.#slots = [...this.#slots.filter((lost) => lost.at > at - recentMs), { slot, at }];
  }
}
