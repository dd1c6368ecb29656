import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

let served: ServedCluster;
const open: Client[] = [];

beforeAll(async () => {
  served = await ServedCluster.start({
    shards: ['a', 'b'],
    standbys: true,
    schema: entrySchema,
  });
  await served.untilArmed();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.end()));
});

afterAll(async () => {
  await served?.stop();
});

async function connect(options: Parameters<ServedCluster['connect']>[0] = {}): Promise<Client> {
  const client = await served.connect(options);
  open.push(client);
  return client;
}

async function statements(route: string): Promise<number> {
  return served.metric(`pgweave_statements_total{route="${route}"}`);
}

describe('the console', () => {
  it('shows shards and nodes as they are', async () => {
    const shards = await served.console('SHOW SHARDS');
    expect(shards.map(({ shard, state, epoch }) => [shard, state, epoch])).toEqual([
      ['a', 'open', '1'],
      ['b', 'open', '1'],
    ]);
    expect(shards.map(({ primary }) => primary)).toEqual(
      served.lab.shards.map(({ primary }) => primary.id),
    );
    const nodes = await served.console('show nodes;');
    expect(nodes.map(({ node, role, state }) => [node, role, state])).toEqual(
      served.lab.nodes.map((node, index) => [node.id, index % 2 ? 'standby' : 'primary', 'up']),
    );
  });

  it('shows clients, pools, the map and the rest', async () => {
    const client = await connect({ application_name: 'counting' });
    await client.query('begin; insert into entry values (1000001)');
    const clients = await served.console('show clients');
    expect(clients.find(({ application_name: name }) => name === 'counting')).toMatchObject({
      user: 'app',
      database: 'app',
      state: 'in-transaction',
      shards: 'b',
    });
    const pools = await served.console('show pools');
    expect(pools.find(({ shard }) => shard === 'b')).toMatchObject({ active: '1' });
    await client.query('rollback');
    expect(
      (await served.console('show map')).map(({ shard, from, to }) => [shard, from, to]),
    ).toEqual([
      ['a', null, '1000000'],
      ['b', '1000000', null],
      ['a', null, null],
    ]);
    expect((await served.console('show workers')).map(({ state }) => state)).toEqual([
      'ready',
      'ready',
    ]);
    for (const subject of ['stats', 'config', 'version', 'help']) {
      expect(await served.console(`show ${subject}`)).not.toEqual([]);
    }
  });

  it('is for admins where it changes something', async () => {
    await expect(served.console('reload', 'reader')).rejects.toMatchObject({ code: '42501' });
    await expect(served.console('failover a', 'reader')).rejects.toMatchObject({ code: '42501' });
    expect(await served.console('show shards', 'reader')).toHaveLength(2);
    await expect(served.console('failover nowhere')).rejects.toMatchObject({ code: '22023' });
    await expect(served.console('select 2')).rejects.toMatchObject({ code: '42601' });
    await expect(connect({ database: 'other' })).rejects.toMatchObject({ code: '3D000' });
  });

  it('says that it takes simple queries only, and goes on', async () => {
    const client = await connect({ database: 'pgweave' });
    const prepared = client.query({ name: 'shards', text: 'show shards', values: [] });
    await expect(prepared).rejects.toMatchObject({ code: '0A000' });
    expect((await client.query('show shards')).rows).toHaveLength(2);
  });

  it('switches a shard over and back under its clients', async () => {
    const client = await connect();
    const { primary, standby } = served.lab.shard('b');
    await client.query("insert into entry values (1000002, 'before')");
    const console = await connect({ database: 'pgweave' });
    expect((await console.query('failover b')).command).toBe('FAILOVER');
    expect((await client.query('select note from entry where id = 1000002')).rows).toEqual([
      { note: 'before' },
    ]);
    const shards = await served.console('show shards');
    expect(shards.find(({ shard }) => shard === 'b')).toMatchObject({
      primary: standby?.id,
      epoch: '2',
      failovers: '1',
    });
    expect(await served.metric('pgweave_shard_epoch{shard="b"}')).toBe(2);
    await served.lab.rebuild(primary);
    await served.untilArmed();
    expect(
      (await served.console('show nodes')).find(({ node }) => node === primary.id),
    ).toMatchObject({ role: 'standby' });
  });
});

describe('the admin pages', () => {
  it('say that everything is well', async () => {
    expect((await served.page('/healthz')).status).toBe(200);
    const ready = await served.page('/readyz');
    expect(ready.status).toBe(200);
    expect(JSON.parse(ready.text)).toMatchObject({ ready: true, reasons: [] });
    expect((await served.page('/nothing')).status).toBe(404);
  });

  it('count statements by their route, whatever the protocol', async () => {
    const client = await connect();
    const cases: readonly (readonly [string, string, string?])[] = [
      ['single-shard', 'select * from entry where id = 7', 'select * from entry where id = $1'],
      ['multi-shard', 'select count(*) from entry', 'select count(*) from entry where id > $1'],
      ['home', 'select 1', 'select $1::int'],
      ['local', 'begin'],
      ['local', 'commit'],
      ['multi-shard', 'update entry set note = null', 'update entry set note = $1::text'],
      ['rejected', 'select ctid from entry', 'select ctid from entry where id > $1'],
    ];
    for (const [route, simple, extended] of cases) {
      const before = await statements(route);
      await client.query(simple).catch(() => {});
      expect(await statements(route), simple).toBe(before + 1);
      if (extended === undefined) continue;
      await client.query(extended, [7]).catch(() => {});
      expect(await statements(route), extended).toBe(before + 2);
    }
  });

  it('measure the latency of each shard and count the clients', async () => {
    const observed = 'pgweave_shard_latency_seconds_count{shard="b"}';
    await served.until('the other clients to be gone', async () => {
      return (await served.metric('pgweave_clients{')) === 0;
    });
    const before = await served.metric(observed);
    const client = await connect();
    await client.query('select * from entry where id = 1000001');
    expect(await served.metric(observed)).toBe(before + 1);
    expect(await served.metric('pgweave_clients{')).toBe(1);
  });
});

it('keeps whole tables safe as the configuration says, for a user, and for a session', async () => {
  await served.reconfigure((text) =>
    `${text}\nsafe_writes: true\n`.replace(
      'server_user: app,',
      'server_user: app, safe_writes: false,',
    ),
  );
  const client = await connect();
  await expect(client.query('delete from entry')).rejects.toMatchObject({ code: '55000' });
  await client.query('delete from entry where true');
  await client.query('set pgweave.safe_writes to off');
  await client.query('delete from entry');
  await client.query('reset pgweave.safe_writes');
  await expect(client.query('update entry set note = null')).rejects.toMatchObject({
    code: '55000',
  });
  const reader = await connect({ user: 'reader', password: 'reader' });
  await reader.query('delete from entry');
  await served.reconfigure((text) => text);
  await client.query('delete from entry');
});
