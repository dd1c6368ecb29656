import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { withControlConnection } from '../../src/cluster/control-connection.ts';
import { decideSql } from '../../src/cluster/transactions/decision-table.ts';
import { type GlobalId, GlobalIds } from '../../src/cluster/transactions/global-id.ts';
import { forgetAbandoned } from '../../src/cluster/transactions/recovery-queries.ts';
import {
  type RecoveryReport,
  TransactionRecovery,
} from '../../src/cluster/transactions/transaction-recovery.ts';
import type { NodeId } from '../../src/config/config.ts';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import { withSession } from '../../src/lab/sql.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import { unencrypted } from '../support/config-fixture.ts';
import { startTestCluster } from '../support/lab.ts';
import { watchConfig } from '../support/watched-cluster.ts';

const [a, b, c] = ['a', 'b', 'c'].map((name) => name as ShardId) as [ShardId, ShardId, ShardId];
const ids = new GlobalIds('00000000deadbeef');

let lab: LabCluster;
let recovery: TransactionRecovery;
const down = new Set<ShardId>();
const open: Client[] = [];

function newRecovery(): TransactionRecovery {
  const config = watchConfig(lab, { stateDirectory: '' });
  return new TransactionRecovery({
    clock: systemClock,
    telemetry: silentTelemetry,
    config: () => config,
    primaryOf: (shard) => (down.has(shard) ? null : (config.nodes.get(shard)?.[0] ?? null)),
  });
}

async function ask(
  shard: ShardId,
  sql: string,
): Promise<readonly { readonly [column: string]: unknown }[]> {
  return await withSession(lab.shard(shard).primary, lab.login, async (session) => {
    return (await session.query(sql)).rows;
  });
}

/** A session of the application, as a worker has them. */
async function session(shard: ShardId, user = 'app'): Promise<Client> {
  const { host, port } = lab.shard(shard).primary;
  const client = new Client({ host, port, user, database: lab.login.database });
  client.on('error', () => {});
  open.push(client);
  await client.connect();
  return client;
}

/** Writes a row named as the transaction, and prepares it. */
async function prepare(shard: ShardId, id: string, user = 'app'): Promise<void> {
  const client = await session(shard, user);
  await client.query(`begin; insert into entry values ('${id}')`);
  await client.query(`prepare transaction '${id}'`);
}

/** Writes the row and the decision, and does not commit. */
async function decide(shard: ShardId, id: GlobalId): Promise<Client> {
  const client = await session(shard);
  await client.query(`begin; insert into entry values ('${id}')`);
  await client.query(decideSql(id));
  return client;
}

async function stored(id: string): Promise<readonly ShardId[]> {
  const found: ShardId[] = [];
  for (const shard of [a, b, c]) {
    const rows = await ask(shard, `select from entry where note = '${id}'`);
    if (rows.length > 0) found.push(shard);
  }
  return found;
}

async function preparedIds(): Promise<readonly string[]> {
  const all = [a, b, c].map((shard) => ask(shard, 'select gid from pg_prepared_xacts'));
  return [...new Set((await Promise.all(all)).flat().map(({ gid }) => String(gid)))];
}

function recover(...wanted: GlobalId[]): Promise<RecoveryReport> {
  return recovery.recover(new Set(wanted));
}

beforeAll(async () => {
  const schema = 'create table entry (note text)';
  lab = await startTestCluster({ shards: [a, b, c], schema });
  for (const shard of [a, b, c]) {
    await ask(shard, 'create role clerk login; grant all on entry to clerk');
  }
});

beforeEach(async () => {
  recovery = newRecovery();
  await recover();
});

afterEach(async () => {
  recovery.close();
  down.clear();
  await Promise.all(open.splice(0).map((client) => client.end()));
  for (const shard of [a, b, c]) {
    for (const { gid } of await ask(shard, 'select gid from pg_prepared_xacts')) {
      await ask(shard, `rollback prepared '${gid}'`);
    }
    await ask(shard, 'truncate entry; truncate pgweave.decision');
  }
});

afterAll(async () => {
  await lab?.stop();
});

describe('recovery', () => {
  it('commits what was decided', async () => {
    const id = ids.mint(a);
    await prepare(b, id);
    await prepare(c, id);
    await (await decide(a, id)).query('commit');
    const report = await recover(id);
    expect(report.outcomes).toEqual(new Map([[id, 'committed']]));
    expect(report.inDoubt).toEqual([]);
    expect(await stored(id)).toEqual([a, b, c]);
  });

  it('rolls back what nobody will decide', async () => {
    const id = ids.mint(a);
    await prepare(b, id);
    const report = await recover(id);
    expect(report.outcomes).toEqual(new Map([[id, 'rolled-back']]));
    expect(await stored(id)).toEqual([]);
    expect(await preparedIds()).toEqual([]);
    // It is told so whenever it is asked for.
    expect((await recover(id)).outcomes).toEqual(new Map([[id, 'rolled-back']]));
  });

  it('leaves alone what may still be decided, and what is decided is done', async () => {
    const id = ids.mint(a);
    await prepare(b, id);
    const decider = await decide(a, id);
    const report = await recover(id);
    expect(report.inDoubt).toMatchObject([{ id, coordinator: a, shards: [b], verdict: 'running' }]);
    expect(await preparedIds()).toEqual([id]);
    await decider.query('commit');
    await recover(id);
    expect(await stored(id)).toEqual([a, b]);
  });

  it('makes a decision that comes too late impossible', async () => {
    const id = ids.mint(a);
    await prepare(b, id);
    const decider = await session(a);
    await decider.query(`begin; insert into entry values ('${id}')`);
    await recover(id);
    await expect(decider.query(decideSql(id))).rejects.toMatchObject({ code: '23505' });
    await decider.query('rollback');
    expect(await stored(id)).toEqual([]);
  });

  it('rolls back when the session that was to decide is gone', async () => {
    const id = ids.mint(a);
    await prepare(b, id);
    const decider = await decide(a, id);
    decider.connection.stream.destroy();
    await expect.poll(async () => (await recover(id)).inDoubt).toEqual([]);
    expect(await stored(id)).toEqual([]);
  });

  it('ends, by an operator, the session that is to decide', async () => {
    const id = ids.mint(a);
    await prepare(b, id);
    const decider = await decide(a, id);
    await recovery.interrupt(id);
    expect((await recover(id)).outcomes.get(id)).toBe('rolled-back');
    await expect(decider.query('commit')).rejects.toThrow();
    expect(await stored(id)).toEqual([]);
  });

  it('lets several recoveries work at the same time', async () => {
    const others = [newRecovery(), newRecovery(), newRecovery()];
    const decided = Array.from({ length: 10 }, () => ids.mint(a));
    const left = Array.from({ length: 10 }, () => ids.mint(b));
    for (const id of decided) {
      await prepare(b, id);
      await (await decide(a, id)).query('commit');
    }
    for (const id of left) await prepare(c, id);
    const wanted = new Set([...decided, ...left]);
    await Promise.all([recovery, ...others].map((one) => one.recover(wanted)));
    for (const other of others) other.close();
    expect(await preparedIds()).toEqual([]);
    for (const id of decided) expect(await stored(id)).toEqual([a, b]);
    for (const id of left) expect(await stored(id)).toEqual([]);
  });

  it('spares what is young unless it was asked for', async () => {
    const id = ids.mint(a);
    await prepare(b, id);
    expect((await recover()).inDoubt).toEqual([]);
    expect(await preparedIds()).toEqual([id]);
    const later = async () => {
      await recover();
      return await preparedIds();
    };
    await expect.poll(later, { timeout: 3_000 }).toEqual([]);
  });

  it('touches nothing but its own', async () => {
    const names = ['mine', 'pgweave', 'pgweave/a', 'other/a/00000000deadbeef/1'];
    for (const name of names) await prepare(b, name);
    await ask(b, 'create database other');
    const { host, port } = lab.shard(b).primary;
    const elsewhere = new Client({ host, port, user: 'postgres', database: 'other' });
    await elsewhere.connect();
    const id = ids.mint(a);
    await elsewhere.query(`begin; create table x (); prepare transaction '${id}'`);
    await recover(id);
    expect([...(await preparedIds())].sort()).toEqual([...names, id].sort());
    await elsewhere.query(`rollback prepared '${id}'`);
    await elsewhere.end();
  });

  it('does not let another role decide', async () => {
    const id = ids.mint(a);
    await prepare(b, id);
    const forger = await session(a, 'clerk');
    await forger.query(decideSql(id));
    const report = await recover(id);
    expect(report.inDoubt).toMatchObject([{ id, verdict: 'disputed', owner: 'app' }]);
    expect(await preparedIds()).toEqual([id]);
    const [left] = report.inDoubt;
    if (left !== undefined) expect(await recovery.force(left, 'rolled-back')).toEqual([b]);
    expect(await stored(id)).toEqual([]);
  });

  it('waits for a coordinator that is away, and ends what it can without the others', async () => {
    const [lost, decided] = [ids.mint(c), ids.mint(a)];
    await prepare(b, lost);
    await prepare(b, decided);
    await prepare(c, decided);
    await (await decide(a, decided)).query('commit');
    down.add(c);
    const report = await recover(lost, decided);
    expect([...report.unread]).toEqual([c]);
    expect(report.outcomes).toEqual(new Map([[decided, 'committed']]));
    expect(report.inDoubt).toMatchObject([{ id: lost, verdict: 'unknown', shards: [b] }]);
    down.clear();
    await recover(lost, decided);
    expect(await preparedIds()).toEqual([]);
    expect(await stored(decided)).toEqual([a, b, c]);
    expect(await stored(lost)).toEqual([]);
  });

  it('does not know what nobody remembers', async () => {
    const id = ids.mint(a);
    expect((await recover(id)).outcomes).toEqual(new Map());
    expect(await ask(a, 'select from pgweave.decision')).toEqual([]);
  });

  it('forgets old decisions that nobody needs', async () => {
    const [done, needed, fresh] = [ids.mint(a), ids.mint(a), ids.mint(a)];
    await prepare(c, needed);
    for (const id of [done, needed, fresh]) await (await decide(a, id)).query('commit');
    await ask(
      a,
      `update pgweave.decision set decided_at = now() - interval '1 min' where id <> '${fresh}'`,
    );
    recovery.close();
    recovery = newRecovery();
    const left = async () => {
      const rows = await ask(a, 'select id from pgweave.decision order by id');
      return rows.map(({ id }) => id);
    };
    down.add(b);
    await recover();
    expect(await left()).toHaveLength(3);
    down.clear();
    recovery.close();
    recovery = newRecovery();
    await recover();
    expect(await left()).toEqual([needed, fresh].sort());
    expect(await stored(needed)).toEqual([a]);
  });

  it('forgets what it has abandoned when no transaction from before is left', async () => {
    const id = ids.mint(a);
    const early = await session(a);
    await early.query('begin; select 1');
    await prepare(b, id);
    await recover(id);
    const { host, port } = lab.shard(a).primary;
    const node = { id: `${host}:${port}` as NodeId, host, port, shard: a };
    const login = { ...lab.login, user: 'postgres', encryption: unencrypted };
    const left = async (keptForMs: number) => {
      await withControlConnection({ node, login, timeoutMs: 5_000 }, (control) =>
        forgetAbandoned(control, keptForMs),
      );
      return (await ask(a, 'select from pgweave.decision')).length;
    };
    expect(await left(0)).toBe(1);
    await early.query('rollback');
    expect(await left(60_000)).toBe(1);
    expect(await left(0)).toBe(0);
  });
});
