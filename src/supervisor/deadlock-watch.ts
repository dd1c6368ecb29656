import type { Clock } from '../base/clock.ts';
import type { Telemetry } from '../base/telemetry.ts';
import { findDeadlocks, type Holder } from '../cluster/transactions/find-deadlocks.ts';
import type { LockWait } from '../cluster/transactions/lock-waits.ts';
import type { ShardId } from '../sharding/shard-id.ts';

export type DeadlockWatchParts = {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly lockWaits: () => Promise<ReadonlyMap<ShardId, readonly LockWait[]>>;
  /** Transactions of all workers on several shards. */
  readonly holders: () => Promise<readonly Holder[]>;
  /** Cancels what the session waits for, with 40P01. */
  readonly breakDeadlock: (session: number) => void;
};

/** As PostgreSQL's deadlock_timeout, in two looks. */
const periodMs = 500;

/**
 * Finds transactions that wait for each other over shards, where no server sees it. The shards are
 * not read at one moment, so only what two looks have found is believed: who waits for each other in
 * both has waited all the time.
 */
export class DeadlockWatch {
  readonly #parts: DeadlockWatchParts;
  readonly #cancelTimer: () => void;
  #suspected: ReadonlySet<string> = new Set();
  #looking = false;

  constructor(parts: DeadlockWatchParts) {
    this.#parts = parts;
    this.#cancelTimer = parts.clock.every(periodMs, () => {
      if (!this.#looking) void this.#look();
    });
  }

  stop(): void {
    this.#cancelTimer();
  }

  async #look(): Promise<void> {
    this.#looking = true;
    try {
      this.#suspected = await this.#judge();
    } finally {
      this.#looking = false;
    }
  }

  async #judge(): Promise<ReadonlySet<string>> {
    const { telemetry, lockWaits, holders, breakDeadlock } = this.#parts;
    const waits = await lockWaits();
    // A cycle over shards waits on two of them at least.
    const waiting = [...waits.values()].filter((list) => list.length > 0);
    if (waiting.length < 2) return new Set();
    const deadlocks = findDeadlocks(waits, await holders());
    for (const { key, session } of deadlocks) {
      if (!this.#suspected.has(key)) continue;
      telemetry.log('warn', 'a deadlock over shards was found', { waiting: key, session });
      breakDeadlock(session);
    }
    return new Set(deadlocks.map(({ key }) => key));
  }
}
