import type { PgError } from '../base/pg-error.ts';
import type { User } from '../config/config.ts';
import type { ServerConnection } from './server-connection.ts';
import type { SessionSettings } from './session-settings.ts';

export type LeaseRequest = {
  readonly user: User;
  /** What the server session must hold; the pool replays the difference first. */
  readonly settings: SessionSettings;
  /**
   * `exclusive`: the connection is the caller's until release(). `shared`: for one exchange that is
   * short and read-only; the caller sends exactly one exchange within onLease and never releases;
   * other statements may stand before and behind it.
   */
  readonly mode: 'exclusive' | 'shared';
  /** Called at most once, possibly before lease() returns. */
  onLease(connection: ServerConnection): void;
  /** 53300 when no connection came free in time, 08001/57P03/28000... when none can be opened. */
  onRefused(error: PgError): void;
};

/** The server connections of one worker to one node. */
export type Pool = {
  /** Returns a function that gives up waiting (no callback is called after it). */
  lease(request: LeaseRequest): () => void;
  /** Logs in ahead of requests, up to `count` connections of the user as far as there is room. */
  prepare(user: User, count: number): void;
  /** The user of each connection that is open, or was lost a moment ago. */
  readonly users: readonly User[];
  /** Closes everything; waiting requests are refused with `error`. */
  close(error: PgError): void;
  /** Monotonic time (Clock.now) when bytes last came from the node; 0 never. */
  readonly lastReceivedAt: number;
  readonly counts: PoolCounts;
};

export type PoolCounts = {
  readonly idle: number;
  readonly active: number;
  /** Of the active ones those that sessions keep to themselves. */
  readonly reserved: number;
  readonly connecting: number;
  readonly waiting: number;
  /** Longest current wait, milliseconds. */
  readonly waitMs: number;
};
