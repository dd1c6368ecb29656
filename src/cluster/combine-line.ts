import type { LeaseRequest, Pool, PoolCounts } from '../backend/pool.ts';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { NodeAddress } from '../config/config.ts';
import { isOutage } from './is-outage.ts';

export type CombineLineParts = {
  readonly clock: Clock;
  readonly createPool: (node: NodeAddress) => Pool;
};

/** A server that could not be reached is not chosen for this long. */
const restMs = 10_000;

/**
 * The requests for a server that others could stand in for: nobody waits for it. What cannot be
 * had is refused at once.
 */
export class CombineLine {
  readonly #parts: CombineLineParts;
  #node: NodeAddress | null = null;
  #pool: Pool | null = null;
  #restsUntil = 0;

  constructor(parts: CombineLineParts) {
    this.#parts = parts;
  }

  get node(): NodeAddress | null {
    return this.#node;
  }

  /** Worth asking for a connection. */
  get isAvailable(): boolean {
    return this.#node !== null && this.#parts.clock.now() >= this.#restsUntil;
  }

  /** Connections of this worker in use or waited for. */
  get load(): number {
    const counts = this.#pool?.counts;
    return counts === undefined ? 0 : counts.active + counts.waiting;
  }

  reading(): {
    readonly node: NodeAddress;
    readonly pool: Pool;
    readonly counts: PoolCounts;
  } | null {
    const node = this.#node;
    const pool = this.#pool;
    return node === null || pool === null ? null : { node, pool, counts: pool.counts };
  }

  /** Another server, or none: what runs on the one before is given up, with `why`. */
  use(node: NodeAddress | null, why: PgError): void {
    if (node?.id === this.#node?.id) return;
    const pool = this.#pool;
    this.#node = node;
    this.#pool = null;
    this.#restsUntil = 0;
    pool?.close(why);
  }

  lease(request: LeaseRequest): () => void {
    if (this.#node === null) {
      request.onRefused(new PgError(SqlState.cannotConnectNow, 'there is no such server now'));
      return () => {};
    }
    this.#pool ??= this.#parts.createPool(this.#node);
    const pool = this.#pool;
    return pool.lease({
      user: request.user,
      settings: request.settings,
      mode: request.mode,
      onLease: (connection) => request.onLease(connection),
      onRefused: (error) => {
        const isOurs = pool === this.#pool;
        if (isOurs && isOutage(error)) this.#restsUntil = this.#parts.clock.now() + restMs;
        request.onRefused(error);
      },
    });
  }
}
