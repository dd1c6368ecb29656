import type { Socket } from 'node:net';
import type { CatalogueSnapshot } from '../cluster/catalogue/catalogue-snapshot.ts';
import type { ShardState } from '../cluster/failover/shard-state.ts';
import type { CommitQuestion } from '../cluster/transactions/commit-question.ts';
import type { Holder } from '../cluster/transactions/find-deadlocks.ts';
import type { GlobalId } from '../cluster/transactions/global-id.ts';
import type { TransactionOutcome } from '../cluster/transactions/transaction-outcome.ts';
import type { NodeId } from '../config/config.ts';
import type { AdminConsole } from '../frontend/admin-console.ts';
import type { Admission } from '../frontend/admission.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { CancelKey, WorkerConfiguration, WorkerPlace, WorkerReport } from './messages.ts';

/** What a worker can say to its supervisor. Calls never throw and never block. */
export type WorkerLink = {
  /** A server connection broke: the supervisor probes the node at once. */
  serverLost(node: NodeId): void;
  /** Nodes that sent bytes since the last call; to be called every 50 ms. */
  proofOfLife(nodes: readonly NodeId[]): void;
  /** A cancel request that arrived here and is meant for another worker. */
  cancel(key: CancelKey): void;
  /**
   * To be called after a statement that created, altered or dropped a table. Resolves when the
   * supervisor has read the catalogue and `WorkerHandlers.catalogue` has been called with it, or
   * when it could not be read.
   */
  schemaChanged(): Promise<void>;
  /**
   * Has the transaction finished on these shards. Resolves with how it ended, null when that could
   * not be found out in time.
   */
  settleTransaction(id: GlobalId, shards: readonly ShardId[]): Promise<TransactionOutcome | null>;
  /** What became of a COMMIT on one shard; null: it cannot be known. */
  askAboutCommit(question: CommitQuestion): Promise<TransactionOutcome | null>;
  /** Limits of clients, which the supervisor counts. */
  readonly admission: Admission;
  /** A guess was wrong: the other workers slow down the address as well. */
  loginFailed(address: string): void;
  /** The admin console, which lives in the supervisor. */
  readonly console: AdminConsole;
};

/** What a supervisor can ask of a worker. */
export type WorkerHandlers = {
  /**
   * A client connected; nothing was read yet. Listeners for data and errors must be attached before
   * this returns. `refused`: answer the startup packet with 53300, a cancel request as always.
   */
  client(socket: Socket, refused: boolean): void;
  shardStates(states: readonly ShardState[]): void;
  catalogue(catalogue: CatalogueSnapshot): void;
  /** Replaces everything at once; a PgError leaves the old configuration in force. */
  configuration(configuration: WorkerConfiguration): void;
  /** A cancel request whose key names this worker; the secret is not checked yet. */
  cancel(key: CancelKey): void;
  /** Resolves when the last session has ended; sessions still there after `timeoutMs` are cut. */
  drain(timeoutMs: number): Promise<void>;
  /** A login failed at another worker. */
  loginFailed(address: string): void;
  /** Transactions that have begun on several shards. */
  holders(): readonly Holder[];
  /** Cancels the session's statement with 40P01; it may not wait for anything any more. */
  breakDeadlock(session: number): void;
  report(wanted: { readonly clients: boolean }): Promise<WorkerReport>;
};

export type WorkerStart = {
  readonly place: WorkerPlace;
  readonly configuration: WorkerConfiguration;
};

/** Builds a worker; clients are handed to it once the promise has resolved. */
export type StartWorker = (link: WorkerLink, start: WorkerStart) => Promise<WorkerHandlers>;
