import type { Clock } from '../base/clock.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { CatalogueSnapshot } from '../cluster/catalogue/catalogue-snapshot.ts';
import type { ShardServers } from '../cluster/shard-servers.ts';
import type { CommitQuestion } from '../cluster/transactions/commit-question.ts';
import type { GlobalId, GlobalIds } from '../cluster/transactions/global-id.ts';
import type { TransactionOutcome } from '../cluster/transactions/transaction-outcome.ts';
import type { Limits } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { OpenMultiShardSelect } from './select/multi-shard-select.ts';
import type { SharedPlanningSettings } from './session/planning-settings.ts';
import type { StatementPlanner } from './statement-planner.ts';

/** What all sessions of a worker share. */
export type ExecutorWorld = {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly servers: ShardServers;
  readonly planner: StatementPlanner;
  readonly planningSettings: SharedPlanningSettings;
  readonly openMultiShardSelect: OpenMultiShardSelect;
  /** Both change on reload. */
  limits: Limits;
  /** What the planner's schema was made of. */
  catalogue: CatalogueSnapshot;
  /** See Failover. */
  resolvesCommits: boolean;
  resolvesWrites: boolean;
  /** See Config. */
  safeWrites: boolean;
  /** A statement changed tables. Resolves when the catalogue has been read again. */
  schemaChanged(): Promise<void>;
  /** For the transactions that this worker commits on several shards. */
  readonly globalIds: GlobalIds;
  /**
   * Has recovery finish the transaction, which this worker cannot go on with, on `shards`. Resolves
   * with how it ended, null when that could not be found out in time.
   */
  settleTransaction(id: GlobalId, shards: readonly ShardId[]): Promise<TransactionOutcome | null>;
  /** What became of a COMMIT on one shard; null: it cannot be known. */
  askAboutCommit(question: CommitQuestion): Promise<TransactionOutcome | null>;
};
