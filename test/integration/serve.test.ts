import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, DatabaseError } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { isRunning, pidTree } from '../../src/lab/pid-tree.ts';
import { withSession } from '../../src/lab/sql.ts';
import { ChildRun } from '../support/child-run.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

let served: ServedCluster;
const open: Client[] = [];

/** The error that ends a connection between its statements. */
function lastWords(client: Client): Promise<string> {
  return new Promise((resolve) => {
    client.on('error', (error) => {
      resolve(error instanceof DatabaseError ? String(error.code) : error.message);
    });
  });
}

async function connect(options: Parameters<ServedCluster['connect']>[0] = {}): Promise<Client> {
  const client = await served.connect(options);
  open.push(client);
  return client;
}

async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map((client) => client.end()));
  await served.untilIdle();
}

describe('serve', () => {
  beforeAll(async () => {
    served = await ServedCluster.start({
      shards: ['a', 'b'],
      schema: entrySchema,
      limits: `clients_max: 8, server_connections_max: 4, acquire_timeout: 300ms,
        hold_max: 400ms, login_timeout: 1s, message_bytes_max: 64kB, pipeline_depth_max: 1`,
    });
  });

  afterEach(closeAll);

  afterAll(async () => {
    await served?.stop();
  });

  it('refuses the client above clients_max with 53300, and lets one in when one has left', async () => {
    const first = await connect();
    for (let more = 7; more > 0; more--) await connect();
    await expect(served.connect()).rejects.toMatchObject({ code: '53300', severity: 'FATAL' });
    await first.end();
    await served.until('a place', async () => {
      const client = await served.connect().catch(() => null);
      await client?.end();
      return client !== null;
    });
    expect(await served.metric('pgweave_clients_refused_total')).toBeGreaterThan(0);
  });

  it('answers 53300 when no server connection is free within acquire_timeout', async () => {
    // 4 connections to a node over 2 workers: each worker has 2.
    const clients = [];
    for (let count = 6; count > 0; count--) clients.push(await connect());
    const begun = await Promise.allSettled(
      clients.map((client) => client.query('begin; update entry set note = null where id = 1')),
    );
    const refused = begun.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(2);
    for (const result of refused) expect(result).toMatchObject({ reason: { code: '53300' } });
    await Promise.all(clients.map((client) => client.query('rollback')));
    await Promise.all(clients.map((client) => client.query('select * from entry where id = 1')));
  });

  it('ends a connection whose message is larger than message_bytes_max', async () => {
    const client = await connect();
    const fits = await client.query('select length($1) as length', ['x'.repeat(60_000)]);
    expect(fits.rows).toEqual([{ length: 60_000 }]);
    const ended = lastWords(client);
    await expect(client.query('select $1::text', ['x'.repeat(70_000)])).rejects.toMatchObject({
      code: '08P01',
    });
    expect(await ended).toMatch(/terminated|08P01/);
  });

  it('tells a wrong password and an unknown user apart for nobody', async () => {
    const attempts = [{ password: 'wrong' }, { user: 'nobody' }, { user: 'nobody', password: 'x' }];
    for (const attempt of attempts) {
      const { user = 'app' } = attempt;
      for (const database of ['app', 'pgweave', 'other']) {
        await expect(served.connect({ ...attempt, database })).rejects.toMatchObject({
          severity: 'FATAL',
          code: '28P01',
          message: `password authentication failed for user "${user}"`,
        });
      }
    }
    await expect(served.connect({ database: 'other' })).rejects.toMatchObject({ code: '3D000' });
  });

  it('adopts the file on SIGHUP', async () => {
    const text = served.configText
      .replace('from: 1000000', 'from: 500')
      .replace('to: 1000000', 'to: 500')
      .replace('hold_max: 400ms', 'hold_max: 450ms');
    const client = await connect();
    await reloadWith(text, 'reloaded');
    expect((await served.console('show map'))[0]).toMatchObject({ to: '500' });
    expect((await client.query('explain select * from entry where id = 600')).rows[0]).toEqual({
      'QUERY PLAN': expect.stringContaining('b'),
    });
    await reloadWith(served.configText, 'reloaded');
    expect((await served.console('show map'))[0]).toMatchObject({ to: '1000000' });
  });

  it('changes nothing for a file with mistakes, and logs each of them', async () => {
    const text = served.configText
      .replace('shard: a,', 'shard: nowhere,')
      .replace('workers: 2', 'workres: 2');
    const version = await served.metric('pgweave_shard_map_version');
    const before = served.run.stderr.length;
    await reloadWith(text, 'reload refused, the running configuration stays');
    const logged = served.run.stderr.slice(before);
    expect(logged).toMatch(/pgweave\.yaml:\d+:\d+: .*nowhere/);
    expect(logged).toMatch(/pgweave\.yaml:\d+:\d+: .*workres/);
    expect(await served.metric('pgweave_shard_map_version')).toBe(version);
    const console = await connect({ database: 'pgweave' });
    await expect(console.query('reload')).rejects.toMatchObject({
      code: 'F0000',
      detail: expect.stringMatching(/workres/),
    });
    await writeFile(served.configPath, served.configText);
    expect((await console.query('reload')).command).toBe('RELOAD');
    const client = await connect();
    await client.query('select * from entry where id = 1');
  });

  it('answers 57P03 after hold_max while a shard has no primary, and serves the others', async () => {
    const { primary } = served.lab.shard('b');
    const client = await connect();
    await primary.stop('fast');
    const startedAt = systemClock.now();
    const waited = client.query('select * from entry where id = 1000001');
    await expect(waited).rejects.toMatchObject({ code: '57P03' });
    expect(systemClock.now() - startedAt).toBeGreaterThan(300);
    expect(systemClock.now() - startedAt).toBeLessThan(3_000);
    await client.query('select * from entry where id = 1');
    expect((await served.page('/readyz')).status).toBe(503);
    expect((await served.page('/healthz')).status).toBe(200);
    await primary.start();
    await served.until('the shard', async () => (await served.page('/readyz')).status === 200);
    await client.query('select * from entry where id = 1000001');
  });

  it('restarts a worker that dies; clients of the others go on', async () => {
    const clients = [];
    for (let index = 0; index < 4; index++) {
      clients.push(await connect({ application_name: `client ${index}` }));
    }
    const rows = await served.console('show clients');
    const doomed = clients.map((_, index) => {
      return rows.find((row) => row['application_name'] === `client ${index}`)?.['worker'] === '0';
    });
    expect(new Set(doomed).size).toBe(2);
    const [worker] = await served.console('show workers');
    process.kill(Number(worker?.['pid']), 'SIGKILL');
    await served.until('a new worker', async () => {
      const [restarted] = await served.console('show workers').catch(() => []);
      return restarted?.['restarts'] === '1' && restarted['state'] === 'ready';
    });
    const answers = await Promise.allSettled(clients.map((client) => client.query('select 1')));
    expect(answers.map(({ status }) => status === 'rejected')).toEqual(doomed);
    await (await connect()).query('select * from entry where id = 1');
  });

  it('serves on when nobody reads what it prints', async () => {
    const { run, started } = await another(served.configText);
    run.closeStdout();
    await served.until('clients to be accepted', () => started('accepting clients'));
    await sleep(100);
    expect(await run.stop()).toMatchObject({ code: 0, signal: null });
  });

  it('can be stopped while it waits for its shards', async () => {
    const text = served.lab.nodes.reduce(
      (changed, { id }, index) => changed.replace(id, `127.0.0.1:${index + 1}`),
      served.configText,
    );
    const { run, started } = await another(text);
    await served.until('the shards to be missed', () => started('the catalogue could not be read'));
    const startedAt = systemClock.now();
    expect(await run.stop()).toMatchObject({ code: 0, signal: null });
    expect(systemClock.now() - startedAt).toBeLessThan(3_000);
  });

  /** A second pgweave, with its own record; it only has to start and stop. */
  async function another(text: string) {
    const file = join(served.configPath, '..', 'another.yaml');
    const changed = text
      .replace(/admin: .*/, 'admin: { port: 0 }')
      .replace('state_directory: state', 'state_directory: another, enabled: false');
    await writeFile(file, changed);
    const run = new ChildRun(['serve', '--config', file]);
    const started = (message: string) => run.log.some(({ msg }) => msg === message);
    return { run, started };
  }

  async function reloadWith(text: string, outcome: string): Promise<void> {
    const count = () => served.run.log.filter(({ msg }) => msg === outcome).length;
    const before = count();
    await writeFile(served.configPath, text);
    served.run.kill('SIGHUP');
    await served.until(outcome, () => count() > before);
  }
});

describe.each([0, 2])('serve with %i workers', (workers) => {
  it('drains on SIGTERM: transactions finish, idle sessions end, nobody is let in', async () => {
    served = await ServedCluster.start({ shards: ['a'], schema: entrySchema, workers });
    const idle = await served.connect();
    const idleEnd = lastWords(idle);
    const busy = await served.connect();
    const busyEnd = lastWords(busy);
    await busy.query("begin; insert into entry values (1, 'late')");
    const running = await served.connect();
    const slow = running.query('select pg_sleep(0.5)');
    await sleep(50);
    const pids = await pidTree(served.run.pid);
    const stopped = served.run.stop();
    expect(await idleEnd).toBe('57P01');
    await expect(served.connect()).rejects.toThrow();
    expect((await slow).rowCount).toBe(1);
    await busy.query("update entry set note = 'done' where id = 1");
    await busy.query('commit');
    expect(await busyEnd).toBe('57P01');
    expect(await stopped).toMatchObject({ code: 0, signal: null });
    expect(pids.filter(isRunning)).toEqual([]);
    const { rows } = await withSession(served.lab.shard('a').primary, served.lab.login, (session) =>
      session.query('select note from entry'),
    );
    expect(rows).toEqual([{ note: 'done' }]);
    await end();
  });

  it('cuts off who does not finish within drain_timeout', async () => {
    served = await ServedCluster.start({ shards: ['a'], schema: entrySchema, workers });
    const busy = await served.connect();
    const busyEnd = lastWords(busy);
    await busy.query("begin; insert into entry values (1, 'never')");
    const startedAt = systemClock.now();
    expect(await served.run.stop()).toMatchObject({ code: 0, signal: null });
    expect(systemClock.now() - startedAt).toBeGreaterThan(2_900);
    expect(await busyEnd).toBe('57P01');
    await end();
  });

  async function end(): Promise<void> {
    await served.lab.stop();
    await rm(join(served.configPath, '..'), { recursive: true, force: true });
  }
});
