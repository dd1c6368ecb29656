import type { PoolCounts } from '../backend/pool.ts';
import type { ClusterStatus } from '../cluster/cluster-status.ts';
import type { Drift } from '../cluster/drift/find-drift.ts';
import type { Rehearsal } from '../cluster/failover/dry-run.ts';
import type { OperatorCommand } from '../cluster/failover/operator-command.ts';
import type { PastFailover } from '../cluster/failover/past-failover.ts';
import type { StrandedRows } from '../cluster/map-edit/find-stranded.ts';
import type { GlobalId } from '../cluster/transactions/global-id.ts';
import type { InDoubtTransaction } from '../cluster/transactions/in-doubt.ts';
import type { TransactionOutcome } from '../cluster/transactions/transaction-outcome.ts';
import type { Config, NodeId } from '../config/config.ts';
import type { ClientSummary } from '../frontend/client-summary.ts';
import type { MetricsPage } from '../observability/metrics-snapshot.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { ShardMap } from '../sharding/shard-map.ts';

/** One worker as the console shows it; its lists are empty when it did not answer in time. */
export type WorkerView = {
  readonly index: number;
  /** null while it waits for its restart (`resting`). */
  readonly pid: number | null;
  readonly state: 'resting' | 'starting' | 'ready' | 'ended';
  readonly clientsCount: number;
  readonly restarts: number;
  readonly clients: readonly ClientSummary[];
  readonly pools: readonly { readonly node: NodeId; readonly counts: PoolCounts }[];
  readonly statements: { readonly [route: string]: number };
};

export type ReloadOutcome = {
  readonly shardMapVersion: number;
  /** What the new file says that only a restart brings about. */
  readonly warnings: readonly string[];
};

export type ReloadWish = {
  /** Although rows that are there would not be found any more. */
  readonly allowStranded: boolean;
};

export type ReloadRehearsal = {
  readonly before: ShardMap;
  readonly after: ShardMap;
  /** As in ReloadOutcome. */
  readonly warnings: readonly string[];
  /** Not empty: RELOAD would be refused. */
  readonly stranded: readonly StrandedRows[];
};

/** All that console and HTTP know of the rest; the supervisor implements it. */
export type ClusterView = {
  readonly version: string;
  readonly configPath: string;
  config(): Config;
  status(): ClusterStatus;
  /** Asks the workers; bounded, a silent worker comes back with empty lists. */
  workers(wanted: { readonly clients: boolean }): Promise<readonly WorkerView[]>;
  /**
   * Rejects with PgError, and then the running configuration stays: F0000 when the file has mistakes,
   * 55000 when rows would be stranded.
   */
  reload(wish: ReloadWish): Promise<ReloadOutcome>;
  /** What a reload would do now; rejects with F0000 when the file has mistakes. */
  rehearseReload(): Promise<ReloadRehearsal>;
  /** Resolves with what was done, in words; rejects with 55000 and the reason. */
  command(shard: ShardId, command: OperatorCommand): Promise<string>;
  /** What the command would come to now. Changes nothing. */
  rehearse(shard: ShardId, command: OperatorCommand): Rehearsal;
  /** Changes of primaries, the oldest first. */
  pastFailovers(): readonly PastFailover[];
  /** Transactions over several shards that were left prepared, as of now. */
  transactions(): Promise<readonly InDoubtTransaction[]>;
  /** Resolves with what was done, in words; rejects with 55000 and the reason, or 42704. */
  resolve(id: GlobalId, outcome: TransactionOutcome): Promise<string>;
  /** Where the shards' schemas differ, as of now; rejects when a shard cannot be asked. */
  drift(): Promise<readonly Drift[]>;
  /** Why clients cannot be served now, a line each; empty: ready. */
  obstacles(): readonly string[];
  metrics(): Promise<MetricsPage>;
};
