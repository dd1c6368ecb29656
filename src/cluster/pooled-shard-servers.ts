import type { LeaseRequest, Pool, PoolCounts } from '../backend/pool.ts';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Limits, NodeAddress, NodeId } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { ShardLine } from './shard-line.ts';
import type { ShardServers } from './shard-servers.ts';
import type { ShardState } from './shard-state.ts';

export type ShardNodes = ReadonlyMap<ShardId, readonly NodeAddress[]>;

export type PooledShardServersParts = {
  readonly clock: Clock;
  readonly nodes: ShardNodes;
  readonly limits: Pick<Limits, 'holdMaxMs'>;
  readonly createPool: (node: NodeAddress) => Pool;
};

/** A worker's connections to the primaries, as the supervisor's states name them. */
export class PooledShardServers implements ShardServers {
  readonly #clock: Clock;
  readonly #createPool: (node: NodeAddress) => Pool;
  readonly #lines = new Map<ShardId, ShardLine>();
  #nodes: ShardNodes;
  #limits: Pick<Limits, 'holdMaxMs'>;

  constructor({ clock, nodes, limits, createPool }: PooledShardServersParts) {
    this.#clock = clock;
    this.#createPool = createPool;
    this.#nodes = nodes;
    this.#limits = limits;
    for (const shard of nodes.keys()) this.#lines.set(shard, this.#newLine(shard));
  }

  lease(shard: ShardId, request: LeaseRequest): () => void {
    return this.#line(shard).lease(request);
  }

  /** States of shards that this configuration does not know are of another one: not for us. */
  update(states: readonly ShardState[]): void {
    for (const state of states) this.#lines.get(state.shard)?.update(state);
  }

  state(shard: ShardId): ShardState {
    return this.#line(shard).state;
  }

  counts(): ReadonlyMap<NodeId, PoolCounts> {
    return new Map(this.#readings().map(({ node, counts }) => [node.id, counts]));
  }

  /** When bytes last came from each node that has a pool (Clock.now(); 0 never). */
  lastReceived(): ReadonlyMap<NodeId, number> {
    return new Map(this.#readings().map(({ node, pool }) => [node.id, pool.lastReceivedAt]));
  }

  /** Adopts another set of shards and nodes; shards that stay keep their connections. */
  reconfigure(nodes: ShardNodes, limits: Pick<Limits, 'holdMaxMs'>): void {
    this.#nodes = nodes;
    this.#limits = limits;
    for (const [shard, line] of this.#lines) {
      if (nodes.has(shard)) continue;
      line.close(
        new PgError(
          SqlState.cannotConnectNow,
          `shard "${shard}" was removed from the configuration`,
        ),
      );
      this.#lines.delete(shard);
    }
    for (const shard of nodes.keys()) {
      if (!this.#lines.has(shard)) this.#lines.set(shard, this.#newLine(shard));
    }
  }

  close(): void {
    const error = new PgError(SqlState.adminShutdown, 'pgweave is shutting down');
    for (const line of this.#lines.values()) line.close(error);
  }

  #readings() {
    return [...this.#lines.values()].map((line) => line.reading()).filter((one) => one !== null);
  }

  #line(shard: ShardId): ShardLine {
    const line = this.#lines.get(shard);
    assert(line !== undefined, `no shard ${shard}`);
    return line;
  }

  #newLine(shard: ShardId): ShardLine {
    const state: ShardState = {
      shard,
      epoch: 0,
      primary: null,
      standbys: [],
      reason: 'the supervisor has not named one yet',
    };
    const parts = {
      clock: this.#clock,
      holdMaxMs: () => this.#limits.holdMaxMs,
      openPool: ({ primary }: ShardState) => {
        const node = this.#nodes.get(shard)?.find(({ id }) => id === primary);
        return node === undefined ? null : { node, pool: this.#createPool(node) };
      },
    };
    return new ShardLine(parts, state);
  }
}
