import type { PoolCounts } from '../backend/pool.ts';
import type { PgError } from '../base/pg-error.ts';
import type { CatalogueSnapshot } from '../cluster/catalogue/catalogue-snapshot.ts';
import type { ShardState } from '../cluster/failover/shard-state.ts';
import type { ShardLineReport } from '../cluster/shard-line.ts';
import type { CommitQuestion } from '../cluster/transactions/commit-question.ts';
import type { Holder } from '../cluster/transactions/find-deadlocks.ts';
import type { GlobalId } from '../cluster/transactions/global-id.ts';
import type { TransactionOutcome } from '../cluster/transactions/transaction-outcome.ts';
import type { NodeId, User } from '../config/config.ts';
import type { AdminResult } from '../frontend/admin-console.ts';
import type { Place } from '../frontend/admission.ts';
import type { ClientSummary } from '../frontend/client-summary.ts';
import type { MetricsSnapshot } from '../observability/metrics-snapshot.ts';
import type { ShardId } from '../sharding/shard-id.ts';

/**
 * What a worker works by, replaced as a whole. The text travels, not the parsed value: every worker
 * reads it as the supervisor did, with the same environment.
 */
export type WorkerConfiguration = {
  /** Of the shard map; grows with each reload. */
  readonly version: number;
  readonly configText: string;
  readonly configPath: string;
  readonly shardStates: readonly ShardState[];
  readonly catalogue: CatalogueSnapshot;
  /** Of this installation, hexadecimal: salts of users are made of it. */
  readonly mockSecret: string;
  /** Of `users_file`. */
  readonly fileUsers: readonly User[];
};

export type WorkerPlace = {
  /** 0 <= workerIndex < workersCount; part of every cancel key. */
  readonly workerIndex: number;
  readonly workersCount: number;
};

/** A PgError as it crosses a process boundary. */
export type WireError = {
  readonly sqlState: string;
  readonly message: string;
  readonly detail: string | null;
  readonly hint: string | null;
};

export type CancelKey = {
  readonly processId: number;
  /** Lower-case hexadecimal. */
  readonly secretKey: string;
};

/** What a worker reports when asked. */
export type WorkerReport = {
  readonly clients: readonly ClientSummary[];
  readonly pools: readonly { readonly node: NodeId; readonly counts: PoolCounts }[];
  readonly shards: readonly ShardLineReport[];
  readonly metrics: MetricsSnapshot;
};

/**
 * Supervisor to worker, plain JSON. `id` ties a question to its answer. `configure` is the first
 * message; `client` alone comes with a socket.
 */
export type SupervisorMessage =
  | {
      readonly type: 'configure';
      readonly place: WorkerPlace;
      readonly configuration: WorkerConfiguration;
    }
  /** `refused`: above the limit of clients; it is to be told so with 53300. */
  | { readonly type: 'client'; readonly refused: boolean }
  | { readonly type: 'shard-states'; readonly states: readonly ShardState[] }
  | { readonly type: 'catalogue'; readonly id: number; readonly catalogue: CatalogueSnapshot }
  | {
      readonly type: 'configuration';
      readonly id: number;
      readonly configuration: WorkerConfiguration;
    }
  | { readonly type: 'cancel'; readonly key: CancelKey }
  | { readonly type: 'drain'; readonly id: number; readonly timeoutMs: number }
  | { readonly type: 'holders-request'; readonly id: number }
  /** `session`: the process ID that its client was told. */
  | { readonly type: 'break-deadlock'; readonly session: number }
  | { readonly type: 'snapshot-request'; readonly id: number; readonly clients: boolean }
  | { readonly type: 'admin-result'; readonly id: number; readonly result: AdminResult }
  | { readonly type: 'admin-error'; readonly id: number; readonly error: WireError }
  | { readonly type: 'schema-read'; readonly id: number }
  /** `full`: the place that has no room; null: all were taken. */
  | { readonly type: 'admitted'; readonly id: number; readonly full: Place | null }
  /** At another worker. */
  | { readonly type: 'login-failed'; readonly address: string }
  | {
      readonly type: 'settled';
      readonly id: number;
      readonly outcome: TransactionOutcome | null;
    };

/** Worker to supervisor. */
export type WorkerMessage =
  | { readonly type: 'ready' }
  /** It cannot be built; to be ended. */
  | { readonly type: 'failed'; readonly error: WireError }
  /** The socket that came with `client` is in the worker's hands. */
  | { readonly type: 'taken' }
  /** Since the worker started: sockets that it was handed and that are closed again. */
  | { readonly type: 'sessions'; readonly closed: number; readonly refusedClosed: number }
  | { readonly type: 'server-lost'; readonly node: NodeId }
  /** Nodes that sent bytes since the last such message. */
  | { readonly type: 'proof-of-life'; readonly nodes: readonly NodeId[] }
  | { readonly type: 'cancel'; readonly key: CancelKey }
  | {
      readonly type: 'admin';
      readonly id: number;
      readonly sql: string;
      readonly user: { readonly name: string; readonly admin: boolean };
    }
  /** A client wants in where there is a limit; answered by `admitted`. */
  | {
      readonly type: 'admit';
      readonly id: number;
      readonly client: number;
      readonly places: readonly Place[];
    }
  | { readonly type: 'left'; readonly client: number }
  | { readonly type: 'login-failed'; readonly address: string }
  /** A statement changed tables; answered by `schema-read` when the new catalogue was sent. */
  | { readonly type: 'schema-changed'; readonly id: number }
  /** It cannot go on with the transaction; answered by `settled`. */
  | {
      readonly type: 'settle';
      readonly id: number;
      readonly transaction: GlobalId;
      readonly shards: readonly ShardId[];
    }
  /** What became of a COMMIT on one shard; answered by `settled`. */
  | { readonly type: 'commit-question'; readonly id: number; readonly question: CommitQuestion }
  /** Answers `catalogue` and `configuration`; null: in force. */
  | { readonly type: 'applied'; readonly id: number; readonly error: WireError | null }
  | { readonly type: 'snapshot'; readonly id: number; readonly report: WorkerReport }
  | { readonly type: 'holders'; readonly id: number; readonly holders: readonly Holder[] }
  | { readonly type: 'drained'; readonly id: number };

export function toWireError(error: PgError): WireError {
  const { sqlState, message, detail = null, hint = null } = error;
  return { sqlState, message, detail, hint };
}
