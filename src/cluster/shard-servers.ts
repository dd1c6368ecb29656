import type { LeaseRequest, PoolCounts } from '../backend/pool.ts';
import type { NodeId } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { ShardState } from './failover/shard-state.ts';

/**
 * The worker's view of the cluster: leases connections of the current primary of a shard, holds
 * requests while there is none (57P03 after `holdMaxMs`).
 */
export type ShardServers = {
  /**
   * Like Pool.lease, on the shard's primary, or on a server of `combineServer`, which is not waited
   * for. Returns a function that gives up waiting.
   */
  lease(shard: ShardId, request: LeaseRequest): () => void;
  update(states: readonly ShardState[]): void;
  state(shard: ShardId): ShardState;
  /**
   * What stands for a server besides the primaries that can run a query over rows that come with it;
   * null: none can now.
   */
  combineServer(): ShardId | null;
  counts(): ReadonlyMap<NodeId, PoolCounts>;
  close(): void;
};
