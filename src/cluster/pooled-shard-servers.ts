import type { ComingIdentity } from '../backend/coming-identity.ts';
import type { LeaseRequest, Pool, PoolCounts } from '../backend/pool.ts';
import type { PrimaryIdentity } from '../backend/primary-identity.ts';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { isCombineId } from '../config/combine-id.ts';
import type { Limits, NodeAddress, NodeId } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { CombineServers } from './combine-servers.ts';
import type { ShardState } from './failover/shard-state.ts';
import { ShardLine, type ShardLineReport } from './shard-line.ts';
import type { ShardServers } from './shard-servers.ts';

export type ShardNodes = ReadonlyMap<ShardId, readonly NodeAddress[]>;

export type PooledShardServersParts = {
  readonly clock: Clock;
  readonly nodes: ShardNodes;
  readonly limits: Pick<Limits, 'holdMaxMs'>;
  /** `identity`: what the server must prove to be; null: nothing. */
  readonly createPool: (
    node: NodeAddress,
    identity: PrimaryIdentity | ComingIdentity | null,
  ) => Pool;
};

/**
 * A worker's connections to the primaries, as the supervisor's states name them, and to the servers
 * that combine rows in their place.
 */
export class PooledShardServers implements ShardServers {
  readonly #clock: Clock;
  readonly #createPool: PooledShardServersParts['createPool'];
  readonly #lines = new Map<ShardId, ShardLine>();
  readonly #combine: CombineServers;
  #nodes: ShardNodes;
  #limits: Pick<Limits, 'holdMaxMs'>;

  constructor({ clock, nodes, limits, createPool }: PooledShardServersParts) {
    this.#clock = clock;
    this.#createPool = createPool;
    this.#nodes = nodes;
    this.#limits = limits;
    this.#combine = new CombineServers({ clock, createPool: (node) => createPool(node, null) });
    for (const shard of nodes.keys()) this.#lines.set(shard, this.#newLine(shard));
  }

  lease(shard: ShardId, request: LeaseRequest): () => void {
    if (isCombineId(shard)) return this.#combine.lease(shard, request);
    return this.#line(shard).lease(request);
  }

  /** States of shards that this configuration does not know are of another one: not for us. */
  update(states: readonly ShardState[]): void {
    for (const state of states) {
      const nodes = this.#nodes.get(state.shard);
      if (nodes === undefined) continue;
      // A node that becomes primary gives up what it ran as a standby first.
      this.#combine.update(state, nodes);
      this.#line(state.shard).update(state);
    }
  }

  combineServer(): ShardId | null {
    return this.#combine.choose();
  }

  /** The dedicated servers of the configuration, as far as they can be used. */
  setCombineNodes(nodes: readonly NodeAddress[]): void {
    this.#combine.setDedicated(nodes);
  }

  state(shard: ShardId): ShardState {
    return this.#line(shard).state;
  }

  counts(): ReadonlyMap<NodeId, PoolCounts> {
    return new Map(this.#readings().map(({ node, counts }) => [node.id, counts]));
  }

  reports(): readonly ShardLineReport[] {
    return [...this.#lines.values()].map((line) => line.report());
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
      this.#combine.remove(shard);
    }
    for (const shard of nodes.keys()) {
      if (!this.#lines.has(shard)) this.#lines.set(shard, this.#newLine(shard));
    }
  }

  close(): void {
    const error = new PgError(SqlState.adminShutdown, 'pgweave is shutting down');
    for (const line of this.#lines.values()) line.close(error);
    this.#combine.close(error);
  }

  #readings() {
    const primaries = [...this.#lines.values()].map((line) => line.reading());
    return [...primaries.filter((one) => one !== null), ...this.#combine.readings()];
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
      heir: null,
      standbys: [],
      identity: null,
      reason: 'the supervisor has not named one yet',
    };
    const parts = {
      clock: this.#clock,
      holdMaxMs: () => this.#limits.holdMaxMs,
      openPool: (id: NodeId, identity: PrimaryIdentity | ComingIdentity | null) => {
        const node = this.#nodes.get(shard)?.find((candidate) => candidate.id === id);
        return node === undefined ? null : { node, pool: this.#createPool(node, identity) };
      },
    };
    return new ShardLine(parts, state);
  }
}
