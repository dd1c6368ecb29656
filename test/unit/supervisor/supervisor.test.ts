import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { listen } from '../../../src/base/listen.ts';
import type { RelationSnapshot } from '../../../src/cluster/catalogue/catalogue-snapshot.ts';
import { GlobalIds } from '../../../src/cluster/transactions/global-id.ts';
import { inProcessWorker } from '../../../src/supervisor/in-process-worker.ts';
import { configFixture, firstShard } from '../../support/config-fixture.ts';
import { startGreetingWorker } from '../../support/greeting-worker.ts';
import { LineClient } from '../../support/line-client.ts';
import { eventually, SupervisorFixture, shardState } from '../../support/supervisor-fixture.ts';

let fixture: SupervisorFixture | null = null;

afterEach(async () => {
  await fixture?.supervisor.stop();
  fixture = null;
});

function create(changes: Parameters<typeof configFixture>[0] = {}): SupervisorFixture {
  fixture = new SupervisorFixture(
    inProcessWorker(startGreetingWorker, { clock: systemClock }),
    changes,
  );
  return fixture;
}

async function start(): Promise<{ running: SupervisorFixture; client: LineClient }> {
  const running = create();
  await running.supervisor.start();
  const client = await LineClient.connect(running.port);
  expect(await client.line()).toMatch(/^worker 0/);
  return { running, client };
}

const relation: RelationSnapshot = {
  schema: 'public',
  name: 'customer',
  kind: 'table',
  columns: [],
  uniqueKeys: [],
  indexes: [],
  ownedBy: null,
  lacking: [],
  estimatedRows: null,
  definition: null,
  hasRowTriggers: false,
  hasUserTriggers: false,
  referringColumns: [],
  parents: [],
  reads: [],
  usedBy: [],
};

describe('a supervisor with its worker in the same process', () => {
  it('passes on what the worker hears of servers', async () => {
    const { running, client } = await start();
    await client.ask('life 127.0.0.1:5433');
    await client.ask('lost 127.0.0.1:5434');
    await eventually(() => running.told.includes('lost 127.0.0.1:5434'));
    expect(running.told).toContain('life 127.0.0.1:5433');
  });

  it('lets its workers load while it looks at the servers, and then tells them all at once', async () => {
    const sent: string[] = [];
    const begun: boolean[] = [];
    const open = inProcessWorker(startGreetingWorker, { clock: systemClock });
    const running = new SupervisorFixture((events) => {
      begun.push(running.events !== null);
      const channel = open(events);
      return {
        ...channel,
        send(message) {
          sent.push(message.type);
          channel.send(message);
        },
      };
    });
    fixture = running;
    running.catalogueFails = true;
    const started = running.supervisor.start();
    await eventually(() => running.catalogueReads > 0);
    running.states = [shardState('127.0.0.1:5434')];
    running.events?.onShardStates(running.states);
    running.catalogueFails = false;
    await started;
    expect([begun, sent[0]]).toEqual([[false], 'configure']);
    const client = await LineClient.connect(running.port);
    expect(await client.line()).toMatch(/^worker 0/);
    expect(await client.ask('states')).toContain('127.0.0.1:5434');
  });

  it('tells the workers who is primary', async () => {
    const { running, client } = await start();
    running.states = [shardState('127.0.0.1:5434')];
    running.events?.onShardStates(running.states);
    await eventually(async () => (await client.ask('states'))?.includes('127.0.0.1:5434'));
  });

  it('answers a schema change when the worker has the new catalogue', async () => {
    const { running, client } = await start();
    expect(await client.ask('schema')).toBe('0');
    running.relations = [relation];
    expect(await client.ask('schema')).toBe('1');
  });

  it('tells a worker how its transaction ended', async () => {
    const { running, client } = await start();
    const id = new GlobalIds('0123456789abcdef').mint(firstShard);
    expect(await client.ask(`settle ${id} ${firstShard}`)).toBe('null');
    running.report = { ...running.report, outcomes: new Map([[id, 'committed']]) };
    expect(await client.ask(`settle ${id} ${firstShard}`)).toBe('committed');
  });

  it('answers a schema change also when the catalogue cannot be read', async () => {
    const { running, client } = await start();
    running.catalogueFails = true;
    expect(await client.ask('schema')).toBe('0');
    await client.ask('schema');
    const warnings = running.log.filter((line) => line.level === 'warn');
    expect(warnings.map((line) => line.message)).toEqual(['the catalogue could not be read']);
  });

  it('does not read the catalogue once per question when questions come together', async () => {
    const { running, client } = await start();
    const before = running.catalogueReads;
    const others = await Promise.all([1, 2, 3, 4].map(() => LineClient.connect(running.port)));
    for (const other of others) await other.line();
    await Promise.all([client, ...others].map((asker) => asker.ask('schema')));
    expect(running.catalogueReads - before).toBeLessThanOrEqual(5);
    expect(running.catalogueReads).toBeGreaterThan(before);
  });

  it('runs the admin console for sessions of its workers', async () => {
    const { client } = await start();
    expect(await client.ask('admin show version')).toBe('[["pgweave 1.2.3"]]');
    expect(await client.ask('admin show me the way')).toBe('42601');
    expect(await client.ask('admin failover a_m')).toBe('55000');
    expect(await client.ask(`admin ${'x'.repeat(5_000)}`)).toBe('42601');
    expect(JSON.parse((await client.ask('admin show clients')) ?? '')).toHaveLength(1);
  });

  it('puts a new configuration in force everywhere before RELOAD answers', async () => {
    const { running, client } = await start();
    expect(await client.ask('version')).toBe('1 first');
    running.nextConfig = { text: 'second', config: configFixture({ log: { level: 'warn' } }) };
    expect(await client.ask('admin reload')).toBe('[]');
    expect(await client.ask('version')).toBe('2 second');
    expect(running.told).toEqual(['reconfigure 2', 'map 2', 'log level warn']);
  });

  it('keeps the running configuration when the file has mistakes, and logs them', async () => {
    const { running, client } = await start();
    expect(await client.ask('admin reload')).toBe('F0000');
    expect(await client.ask('version')).toBe('1 first');
    const refusal = running.log.find((line) => line.level === 'error');
    expect(JSON.stringify(refusal)).toContain('pgweave.yaml:3:5: unknown option');
  });

  it('goes back to the running configuration when a worker refuses the new one', async () => {
    const { running, client } = await start();
    running.nextConfig = { text: 'refuse me', config: configFixture({ log: { level: 'warn' } }) };
    await expect(running.supervisor.reload()).rejects.toMatchObject({
      sqlState: 'F0000',
      detail: 'the certificate cannot be used',
    });
    expect(await client.ask('version')).toBe('1 first');
    expect(running.told).toEqual(['reconfigure 2', 'reconfigure 1']);
    running.nextConfig = { text: 'second', config: configFixture() };
    await running.supervisor.reload();
    expect(await client.ask('version')).toBe('2 second');
  });

  it('changes nothing when the new map would strand rows, unless it is told to', async () => {
    const { running, client } = await start();
    running.nextConfig = { text: 'second', config: configFixture() };
    running.stranded.push([{ table: 'public.t', shard: firstShard, rows: 2, because: 'why' }]);
    await expect(running.supervisor.reload()).rejects.toMatchObject({
      sqlState: '55000',
      detail: `public.t: 2 rows on ${firstShard}, why`,
    });
    expect(await client.ask('version')).toBe('1 first');
    expect(running.told).toEqual([]);
    await running.supervisor.reload({ allowStranded: true });
    expect(await client.ask('version')).toBe('2 second');
  });

  it('tells of rows that were written by the old map after they had been counted', async () => {
    const { running } = await start();
    running.nextConfig = { text: 'second', config: configFixture() };
    running.stranded.push([], [{ table: 'public.t', shard: firstShard, rows: 1, because: 'why' }]);
    const { warnings } = await running.supervisor.reload();
    expect(warnings).toEqual([`written meanwhile: public.t: 1 row on ${firstShard}, why`]);
  });

  it('says what a reload cannot change', async () => {
    const { running } = await start();
    const config = configFixture({ workers: 4, listen: { host: '127.0.0.1', port: 6432 } });
    running.nextConfig = { text: 'second', config };
    const { shardMapVersion, warnings } = await running.supervisor.reload();
    expect(shardMapVersion).toBe(2);
    expect(warnings).toEqual([
      'listen: 127.0.0.1:6432 takes effect after a restart, until then 127.0.0.1:0',
      'workers: 4 takes effect after a restart, until then 0',
    ]);
  });

  it('raises and lowers the limit of clients with a reload', async () => {
    const { running } = await start();
    const limits = { ...configFixture().limits, clientsMax: 1 };
    running.nextConfig = { text: 'second', config: configFixture({ limits }) };
    await running.supervisor.reload();
    const refused = await LineClient.connect(running.port);
    expect(await refused.line()).toBe('refused');
    running.nextConfig = { text: 'third', config: configFixture() };
    await running.supervisor.reload();
    const admitted = await LineClient.connect(running.port);
    expect(await admitted.line()).toMatch(/^worker/);
  });

  it('is not ready while a shard has no primary', async () => {
    const { running } = await start();
    expect(running.supervisor.obstacles()).toEqual([]);
    running.states = [shardState(null)];
    expect(running.supervisor.obstacles()).toEqual([
      'shard "a_m" has no primary: promoting',
      'shard "n_z" has no primary: promoting',
    ]);
  });

  it('waits with accepting clients until the tables are known', async () => {
    const running = create();
    running.catalogueFails = true;
    const started = running.supervisor.start();
    await eventually(() => running.catalogueReads > 0);
    expect(running.supervisor.clientPort).toBeNull();
    expect(running.supervisor.obstacles()).toContain('the proxy is starting');
    running.catalogueFails = false;
    await started;
    expect(running.supervisor.clientPort).toBeGreaterThan(0);
  });

  it('gives up a start when told to stop', async () => {
    const running = create();
    running.catalogueFails = true;
    const started = running.supervisor.start();
    started.catch(() => {});
    await eventually(() => running.catalogueReads > 0);
    await running.supervisor.stop();
    await expect(started).rejects.toMatchObject({ sqlState: '57P01' });
    expect(running.told).toEqual(['stop']);
  });

  it('names a client port that is in use, and leaves nothing running', async () => {
    const squatter = createServer();
    const port = await listen(squatter, { host: '127.0.0.1', port: 0, purpose: 'a test' });
    const running = create({ listen: { host: '127.0.0.1', port } });
    await expect(running.supervisor.start()).rejects.toMatchObject({
      sqlState: '58030',
      message: `cannot listen for clients on 127.0.0.1:${port}: the port is in use`,
    });
    expect(running.told).toEqual(['stop']);
    squatter.close();
  });

  it('adds up metrics of worker and supervisor', async () => {
    const { running, client } = await start();
    await client.ask('statement');
    const url = `http://127.0.0.1:${running.supervisor.adminPort}/metrics`;
    const page = await (await fetch(url)).text();
    expect(page).toContain('pgweave_statements_total{route="single-shard"} 1');
    expect(page).toContain('pgweave_clients{worker="0"} 1');
    expect(page).toContain(
      'pgweave_pool_connections{shard="a_m",node="127.0.0.1:5433",state="active"} 2',
    );
  });
});
