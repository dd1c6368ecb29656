import { assert } from '../base/assert.ts';
import type { User } from '../config/config.ts';
import type { PipelineConnection } from './pipeline-connection.ts';
import type { LeaseRequest } from './pool.ts';
import { PoolSlot } from './pool-slot.ts';

/** The slots of a pool, and which of them suits whom. */
export class PoolSlots {
  readonly #slots = new Map<PipelineConnection, PoolSlot>();
  /** Least recently used first. */
  readonly #idle: PoolSlot[] = [];

  get size(): number {
    return this.#slots.size;
  }

  get idle(): readonly PoolSlot[] {
    return this.#idle;
  }

  get all(): readonly PoolSlot[] {
    return [...this.#slots.values()];
  }

  of(connection: PipelineConnection): PoolSlot {
    const slot = this.#slots.get(connection);
    assert(slot !== undefined, 'a connection reports to a pool that does not have it');
    return slot;
  }

  add(connection: PipelineConnection, user: User): PoolSlot {
    const slot = new PoolSlot(connection, user);
    this.#slots.set(connection, slot);
    return slot;
  }

  delete(slot: PoolSlot): void {
    this.takeFromIdle(slot);
    this.#slots.delete(slot.connection);
  }

  addToIdle(slot: PoolSlot, now: number): void {
    slot.idleSince = now;
    this.#idle.push(slot);
  }

  takeFromIdle(slot: PoolSlot): void {
    const index = this.#idle.lastIndexOf(slot);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  countOf(serverUser: string): number {
    let count = 0;
    for (const slot of this.#slots.values()) if (slot.serverUser === serverUser) count += 1;
    return count;
  }

  /** Closes the oldest idle connection of another user, if there is one. */
  evictIdle(serverUser: string): boolean {
    const other = this.#idle.find((slot) => slot.serverUser !== serverUser);
    other?.connection.close();
    return other !== undefined;
  }

  hasUser(serverUser: string): boolean {
    for (const slot of this.#slots.values()) if (slot.serverUser === serverUser) return true;
    return false;
  }

  /** The latest used one of the user, preferably with the right settings. */
  latestIdle(request: LeaseRequest): PoolSlot | null {
    let other: PoolSlot | null = null;
    for (let index = this.#idle.length - 1; index >= 0; index--) {
      const slot = this.#idle[index];
      if (slot === undefined || slot.serverUser !== request.user.serverUser) continue;
      if (slot.connection.settings === request.settings) return slot;
      other ??= slot;
    }
    return other;
  }

  /** The shared one with the right settings that has the fewest exchanges, below `depthMax`. */
  shallowestShared(request: LeaseRequest, depthMax: number): PoolSlot | null {
    let best: PoolSlot | null = null;
    let bestDepth = depthMax;
    for (const slot of this.#slots.values()) {
      if (slot.state !== 'shared' || slot.serverUser !== request.user.serverUser) continue;
      const { connection } = slot;
      if (connection.settings !== request.settings || connection.isCancelling) continue;
      if (connection.depth >= bestDepth) continue;
      best = slot;
      bestDepth = connection.depth;
    }
    return best;
  }

  /** The shared one that is soonest free for the user. */
  soonestDrained(serverUser: string): PoolSlot | null {
    const cost = (slot: PoolSlot) =>
      // Another user's connection would have to be closed and opened anew.
      slot.connection.depth + (slot.serverUser === serverUser ? 0 : 1000);
    const shared = this.all.filter((slot) => slot.state === 'shared');
    return shared.sort((left, right) => cost(left) - cost(right))[0] ?? null;
  }

  get reservedCount(): number {
    let count = 0;
    for (const { connection } of this.#slots.values()) if (connection.isReserved) count++;
    return count;
  }

  /** Slots that will soon be idle by themselves. */
  get comingCount(): number {
    let count = 0;
    for (const { state } of this.#slots.values()) {
      if (state === 'draining' || state === 'settling' || state === 'preparing') count++;
    }
    return count;
  }
}
