import type { CatalogueSnapshot } from '../cluster/catalogue/catalogue-snapshot.ts';
import type { ClusterStatus } from '../cluster/cluster-status.ts';
import type { Drift } from '../cluster/drift/find-drift.ts';
import type { Rehearsal } from '../cluster/failover/dry-run.ts';
import type { CheckedFailover } from '../cluster/failover/failover-check.ts';
import type { OperatorCommand } from '../cluster/failover/operator-command.ts';
import type { PastFailover } from '../cluster/failover/past-failover.ts';
import type { ShardState } from '../cluster/failover/shard-state.ts';
import type { StrandedRows } from '../cluster/map-edit/find-stranded.ts';
import type { CommitQuestion } from '../cluster/transactions/commit-question.ts';
import type { TransactionOutcome } from '../cluster/transactions/transaction-outcome.ts';
import type { Config, NodeId } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { Recovery } from './transaction-keeper.ts';

/** The health side of the supervisor, as far as it is not about processes. */
export type ClusterControl = {
  shardStates(): readonly ShardState[];
  status(): ClusterStatus;
  /** A worker lost a connection to the node. */
  serverLost(node: NodeId): void;
  /** Workers received bytes from these nodes within the last 50 ms. */
  proofOfLife(nodes: readonly NodeId[]): void;
  /** Resolves with what was done, in words; rejects with PgError 55000 and the reason. */
  command(shard: ShardId, command: OperatorCommand): Promise<string>;
  /** What the command would come to now. Changes nothing. */
  rehearse(shard: ShardId, command: OperatorCommand): Rehearsal;
  /** What became of a COMMIT; null: it cannot be known. Never rejects. */
  resolveCommit(question: CommitQuestion): Promise<TransactionOutcome | null>;
  /** The oldest first. */
  pastFailovers(): readonly PastFailover[];
  /** Adopts other nodes, users or limits; rejects with PgError when it cannot. */
  reconfigure(config: Config): Promise<void>;
  /** Rejects when a server that has to be asked does not answer. */
  readCatalogue(config: Config): Promise<CatalogueSnapshot>;
  /** Where the shards' schemas differ; rejects when one cannot be asked. */
  readDrift(config: Config, catalogue: CatalogueSnapshot): Promise<readonly Drift[]>;
  /**
   * Rows that nobody would find any more by the map of `next`. Rejects with PgError when they cannot
   * be counted.
   */
  findStranded(next: Config): Promise<readonly StrandedRows[]>;
  /** Rows are looked for by this map from now on. Rejects with 58030 when that cannot be noted. */
  mapAdopted(config: Config): Promise<void>;
  /** For transactions that were left prepared. */
  readonly recovery: Recovery;
  stop(): Promise<void>;
};

export type ClusterEvents = {
  /** All shards, whenever one of them changed. */
  onShardStates(states: readonly ShardState[]): void;
  /** Adds what the cluster's side cannot see. */
  lookAround(checked: CheckedFailover): Promise<CheckedFailover>;
};

/** Resolves once every node was asked for its role, or did not answer in time. */
export type StartCluster = (events: ClusterEvents) => Promise<ClusterControl>;
