import { describe, expect, it } from 'vitest';
import type { LeaseRequest, Pool } from '../../../src/backend/pool.ts';
import type { ServerConnection } from '../../../src/backend/server-connection.ts';
import type { SessionSettings } from '../../../src/backend/session-settings.ts';
import { PgError } from '../../../src/base/pg-error.ts';
import { PooledShardServers } from '../../../src/cluster/pooled-shard-servers.ts';
import { combineIdOf } from '../../../src/config/combine-id.ts';
import type { NodeAddress, NodeId, User } from '../../../src/config/config.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { VirtualClock } from './virtual-clock.ts';

const shards = ['a', 'b'] as readonly string[] as readonly ShardId[];

function node(shard: ShardId, port: number): NodeAddress {
  return { id: `h:${port}` as NodeId, host: 'h', port, shard };
}

/** Three nodes each: 11, 12 and 13 of shard a, 21, 22 and 23 of shard b. */
const nodes = new Map(
  shards.map((shard, index) => [shard, [1, 2, 3].map((n) => node(shard, (index + 1) * 10 + n))]),
);
const dedicated = [node(combineIdOf('h:91'), 91), node(combineIdOf('h:92'), 92)];

/** Keeps what it is asked for, or refuses it. */
class ScriptedPool implements Pool {
  readonly users = [];
  readonly node: NodeAddress;
  readonly lastReceivedAt = 7;
  leased: LeaseRequest[] = [];
  closed: PgError | null = null;
  refusal: PgError | null = null;

  constructor(address: NodeAddress) {
    this.node = address;
  }

  get counts() {
    return {
      idle: 0,
      active: this.leased.length,
      reserved: 0,
      connecting: 0,
      waiting: 0,
      waitMs: 0,
    };
  }

  lease(request: LeaseRequest): () => void {
    if (this.refusal !== null) request.onRefused(this.refusal);
    else {
      this.leased.push(request);
      request.onLease({ node: this.node } as ServerConnection);
    }
    return () => {};
  }

  prepare(): void {}

  close(error: PgError): void {
    this.closed = error;
  }
}

function scene() {
  const clock = new VirtualClock();
  const pools: ScriptedPool[] = [];
  const servers = new PooledShardServers({
    clock,
    nodes,
    limits: { holdMaxMs: 1000 },
    createPool: (address) => {
      const pool = new ScriptedPool(address);
      pools.push(pool);
      return pool;
    },
  });
  const state = (shard: string, primary: number | null, ...standbys: number[]) =>
    servers.update([
      {
        shard: shard as ShardId,
        epoch: 1,
        primary: primary === null ? null : (`h:${primary}` as NodeId),
        heir: null,
        standbys: standbys.map((port) => `h:${port}` as NodeId),
        identity: null,
        reason: '',
      },
    ]);
  /** Where what may run anywhere runs now. */
  const run = (id = servers.combineServer()): string | null => {
    if (id === null) return null;
    let answer = 'nothing';
    servers.lease(id, {
      user: {} as User,
      settings: {} as SessionSettings,
      mode: 'exclusive',
      onLease: (connection) => {
        answer = connection.node.id;
      },
      onRefused: (error) => {
        answer = error.sqlState;
      },
    });
    return answer;
  };
  return { clock, pools, servers, state, run };
}

describe('servers that combine rows', () => {
  it('are none without standbys and dedicated servers', () => {
    const { state, servers } = scene();
    expect(servers.combineServer()).toBeNull();
    state('a', 11);
    expect(servers.combineServer()).toBeNull();
  });

  it('are one standby of each shard, the one with the least to do', () => {
    const { state, run } = scene();
    state('a', 11, 12, 13);
    state('b', 21, 22);
    const first = run();
    expect(['h:12', 'h:22']).toContain(first);
    expect(run()).toBe(first === 'h:12' ? 'h:22' : 'h:12');
  });

  it('are the dedicated ones before any standby', () => {
    const { state, servers, run } = scene();
    state('a', 11, 12);
    servers.setCombineNodes(dedicated);
    expect([run(), run()].toSorted()).toEqual(['h:91', 'h:92']);
    servers.setCombineNodes([]);
    expect(run()).toBe('h:12');
  });

  it('stay with a standby while it streams, and go on to the next one', () => {
    const { pools, state, run } = scene();
    state('a', 11, 13);
    expect(run()).toBe('h:13');
    state('a', 11, 12, 13);
    expect(run()).toBe('h:13');
    state('a', 11, 12);
    expect(run()).toBe('h:12');
    expect(pools.map(({ closed }) => closed !== null)).toEqual([true, false]);
  });

  it('are cut as soon as their shard has no primary', () => {
    const { pools, servers, state, run } = scene();
    state('a', 11, 12);
    run();
    state('a', null, 12);
    expect(pools[0]?.closed?.sqlState).toBe('08006');
    expect(servers.combineServer()).toBeNull();
    state('a', 12, 11);
    expect(run()).toBe('h:11');
  });

  it('are refused at once where there is none any more', () => {
    const { servers, state, run } = scene();
    state('a', 11, 12);
    servers.setCombineNodes(dedicated.slice(0, 1));
    const before = servers.combineServer() ?? undefined;
    servers.setCombineNodes([]);
    expect(run(before)).toBe('08006');
    const standby = servers.combineServer() ?? undefined;
    state('a', 11);
    expect(run(standby)).toBe('57P03');
    servers.reconfigure(new Map([...nodes].slice(1)), { holdMaxMs: 1000 });
    expect(run(standby)).toBe('08006');
  });

  it('rest for ten seconds when they cannot be reached', () => {
    const { clock, pools, servers, run } = scene();
    servers.setCombineNodes(dedicated.slice(0, 1));
    expect(run()).toBe('h:91');
    const [pool] = pools;
    if (pool === undefined) throw new Error('no pool was made');
    pool.refusal = new PgError('28P01', 'wrong password');
    expect([run(), servers.combineServer()]).toEqual(['28P01', combineIdOf('h:91')]);
    pool.refusal = new PgError('08001', 'connection refused');
    expect([run(), servers.combineServer()]).toEqual(['08001', null]);
    clock.advance(9_990);
    expect(servers.combineServer()).toBeNull();
    clock.advance(20);
    expect(servers.combineServer()).toBe(combineIdOf('h:91'));
  });

  it('are counted and closed like the others', () => {
    const { pools, servers, state, run } = scene();
    state('a', 11, 12);
    run();
    expect([...servers.counts()].map(([id, { active }]) => [id, active])).toEqual([['h:12', 1]]);
    expect(servers.lastReceived()).toEqual(new Map([['h:12', 7]]));
    servers.close();
    expect(pools[0]?.closed?.sqlState).toBe('57P01');
  });
});
