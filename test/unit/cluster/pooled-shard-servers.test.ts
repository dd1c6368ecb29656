import { describe, expect, it } from 'vitest';
import { ComingIdentity } from '../../../src/backend/coming-identity.ts';
import type { LeaseRequest, Pool } from '../../../src/backend/pool.ts';
import type { ServerConnection } from '../../../src/backend/server-connection.ts';
import type { SessionSettings } from '../../../src/backend/session-settings.ts';
import { PgError } from '../../../src/base/pg-error.ts';
import { PooledShardServers } from '../../../src/cluster/pooled-shard-servers.ts';
import type { NodeAddress, NodeId, User } from '../../../src/config/config.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { VirtualClock } from './virtual-clock.ts';

const shard = 'a' as ShardId;
const nodes: NodeAddress[] = [1, 2].map((port) => ({
  id: `h:${port}` as NodeId,
  host: 'h',
  port,
  shard,
}));

/** Grants what it has room for; the rest waits until it is closed or granted by the test. */
class ScriptedPool implements Pool {
  users: User[] = [];
  /** How many connections it should have at least. */
  prepared = 0;
  readonly node: NodeAddress;
  readonly lastReceivedAt = 7;
  waiting: LeaseRequest[] = [];
  closed: PgError | null = null;
  refusal: PgError | null = null;

  constructor(node: NodeAddress) {
    this.node = node;
  }

  get counts() {
    return {
      idle: 0,
      active: 0,
      reserved: 0,
      connecting: 0,
      waiting: this.waiting.length,
      waitMs: 0,
    };
  }

  lease(request: LeaseRequest): () => void {
    if (this.refusal !== null) request.onRefused(this.refusal);
    else this.waiting.push(request);
    return () => {
      this.waiting = this.waiting.filter((one) => one !== request);
    };
  }

  prepare(_user: User, count: number): void {
    this.prepared = Math.max(this.prepared, count);
  }

  grant(): void {
    const [request] = this.waiting.splice(0, 1);
    request?.onLease({ node: this.node } as ServerConnection);
  }

  close(error: PgError): void {
    this.closed = error;
    for (const request of this.waiting.splice(0)) request.onRefused(error);
  }
}

const user = {} as User;

function scene() {
  const clock = new VirtualClock();
  const pools: ScriptedPool[] = [];
  const identities: unknown[] = [];
  const servers = new PooledShardServers({
    clock,
    nodes: new Map([[shard, nodes]]),
    limits: { holdMaxMs: 1000 },
    createPool: (node, identity) => {
      const pool = new ScriptedPool(node);
      pools.push(pool);
      identities.push(identity);
      return pool;
    },
  });
  const log: string[] = [];
  const lease = (name: string) =>
    servers.lease(shard, {
      user,
      settings: {} as SessionSettings,
      mode: 'exclusive',
      onLease: (connection) => log.push(`${name} on ${connection.node.id}`),
      onRefused: (error) => log.push(`${name} refused ${error.sqlState} ${error.message}`),
    });
  const primary = (port: number | null, epoch: number, heir: number | null = null) =>
    servers.update([
      {
        shard,
        epoch,
        primary: port === null ? null : (`h:${port}` as NodeId),
        heir: heir === null ? null : (`h:${heir}` as NodeId),
        standbys: [],
        identity: null,
        reason: 'promoting h:2',
      },
    ]);
  return { clock, pools, identities, servers, log, lease, primary };
}

describe('leases from the current primary', () => {
  it('holds requests until there is a primary, and serves the oldest first', () => {
    const { pools, log, lease, primary } = scene();
    lease('one');
    lease('two');
    primary(1, 1);
    pools[0]?.grant();
    pools[0]?.grant();
    expect(log).toEqual(['one on h:1', 'two on h:1']);
  });

  it('gives up after the limit with 57P03 and the reason', () => {
    const { clock, log, lease, primary } = scene();
    primary(null, 1);
    lease('one');
    clock.advance(990);
    expect(log).toEqual([]);
    clock.advance(70);
    expect(log).toEqual(['one refused 57P03 shard "a" has no primary: promoting h:2']);
  });

  it('keeps its connections through a suspicion of the same epoch', () => {
    const { pools, log, lease, primary } = scene();
    primary(1, 1);
    lease('one');
    primary(null, 1);
    expect(pools[0]?.closed).toBeNull();
    primary(1, 1);
    pools[0]?.grant();
    expect(log).toEqual(['one on h:1']);
    expect(pools).toHaveLength(1);
  });

  it('cuts the old primary with a new epoch and moves what waited there to the new one', () => {
    const { pools, log, lease, primary } = scene();
    primary(1, 1);
    lease('one');
    primary(null, 2);
    expect(pools[0]?.closed?.sqlState).toBe('08006');
    lease('two');
    primary(2, 2);
    pools[1]?.grant();
    pools[1]?.grant();
    expect(log).toEqual(['one on h:2', 'two on h:2']);
  });

  it('tries again when a connection could not be opened, until the limit', () => {
    const { clock, pools, log, lease, primary } = scene();
    primary(1, 1);
    lease('first');
    const [pool] = pools;
    if (pool === undefined) throw new Error('no pool');
    pool.grant();
    pool.refusal = new PgError('08001', 'could not connect to server h:1');
    lease('one');
    clock.advance(200);
    expect(log).toEqual(['first on h:1']);
    pool.refusal = null;
    clock.advance(60);
    pool.grant();
    expect(log).toEqual(['first on h:1', 'one on h:1']);
    pool.refusal = new PgError('08001', 'could not connect to server h:1');
    lease('two');
    clock.advance(1100);
    expect(log.at(-1)).toBe('two refused 08001 could not connect to server h:1');
  });

  it('passes on refusals that another server would not mend', () => {
    const { pools, log, lease, primary } = scene();
    primary(1, 1);
    lease('first');
    pools[0]?.close(new PgError('53300', 'no connection came free'));
    expect(log).toEqual(['first refused 53300 no connection came free']);
  });

  it('forgets a request that is given up, held or waiting in the pool', () => {
    const { pools, log, lease, primary } = scene();
    lease('held')();
    primary(1, 1);
    lease('kept');
    lease('waiting')();
    expect(pools[0]?.waiting).toHaveLength(1);
    primary(2, 2);
    pools[1]?.grant();
    expect(log).toEqual(['kept on h:2']);
  });

  it('counts held requests as waiting and reports when nodes were heard', () => {
    const { servers, lease, primary } = scene();
    primary(1, 1);
    lease('one');
    primary(null, 1);
    lease('two');
    expect(servers.counts().get('h:1' as NodeId)?.waiting).toBe(2);
    expect(servers.lastReceived().get('h:1' as NodeId)).toBe(7);
  });

  it('refuses everything when it closes', () => {
    const { servers, log, lease } = scene();
    lease('one');
    servers.close();
    expect(log).toEqual(['one refused 57P01 pgweave is shutting down']);
  });
});

describe('the node that is about to become primary', () => {
  it('gets as many logins as there are connections or requests that wait, and serves them then', () => {
    const { pools, identities, log, lease, primary } = scene();
    primary(1, 1);
    lease('one');
    if (pools[0] !== undefined) pools[0].users = [user, user, user];
    pools[0]?.grant();
    primary(1, 1, 2);
    expect(pools).toHaveLength(2);
    expect(pools[1]?.prepared).toBe(3);
    primary(null, 1, 2);
    for (const name of ['two', 'three', 'four', 'five']) lease(name);
    expect(pools[1]?.prepared).toBe(4);
    expect(pools[1]?.waiting).toEqual([]);
    const proved: unknown[] = [];
    expect(identities[1]).toBeInstanceOf(ComingIdentity);
    if (identities[1] instanceof ComingIdentity) identities[1].when((known) => proved.push(known));
    expect(proved).toEqual([]);
    primary(2, 2);
    expect(proved).toEqual([null]);
    expect(pools).toHaveLength(2);
    expect(pools[0]?.closed?.message).toContain('was replaced');
    for (let count = 0; count < 4; count += 1) pools[1]?.grant();
    expect(log.slice(1)).toEqual(['two on h:2', 'three on h:2', 'four on h:2', 'five on h:2']);
  });

  it('gets a few only as long as the primary may live yet', () => {
    const { pools, lease, primary } = scene();
    primary(1, 1);
    lease('one');
    pools[0]?.grant();
    primary(null, 1);
    for (let count = 0; count < 10; count += 1) lease('waits');
    primary(null, 1, 2);
    expect(pools[1]?.prepared).toBe(4);
    primary(null, 2, 2);
    expect(pools[1]?.prepared).toBe(10);
  });

  it('loses them when it does not become primary', () => {
    const { pools, log, lease, primary } = scene();
    primary(1, 1);
    lease('one');
    primary(1, 1, 2);
    primary(null, 1, 2);
    lease('two');
    primary(1, 1);
    expect(pools[1]?.closed?.message).toContain('did not become primary');
    expect(pools[0]?.closed).toBeNull();
    pools[0]?.grant();
    pools[0]?.grant();
    expect(log).toEqual(['one on h:1', 'two on h:1']);
  });
});
