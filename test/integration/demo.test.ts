import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { findFreePorts } from '../../src/lab/free-port.ts';
import { isRunning, pidTree, signalAll } from '../../src/lab/pid-tree.ts';
import { waitUntil } from '../../src/lab/wait-until.ts';
import { ChildRun } from '../support/child-run.ts';

const hasPsql = spawnSync('psql', ['--version']).status === 0;
const stopMaxMs = 5_000;

const runs: ChildRun[] = [];

afterEach(async () => {
  for (const run of runs.splice(0)) {
    const left = await pidTree(run.pid);
    run.kill('SIGKILL');
    signalAll(left.slice(1), 'SIGKILL');
  }
});

function demo(...words: readonly string[]): ChildRun {
  return demoIn(undefined, ...words);
}

function demoIn(cwd: string | undefined, ...words: readonly string[]): ChildRun {
  const ports = ['--port', '0', '--admin-port', '0'];
  const options = cwd === undefined ? {} : { cwd };
  const run = new ChildRun(['demo', '--no-data', '--shards', '1', ...ports, ...words], options);
  runs.push(run);
  return run;
}

async function query(url: string, sql: string): Promise<readonly { [column: string]: unknown }[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The directory of the servers, out of the text that the demo prints. */
function labDirectory({ stdout }: ChildRun): string {
  const path = /^ +(\/\S+pgweave\.yaml)$/m.exec(stdout)?.[1];
  if (path === undefined) throw new Error(stdout);
  return dirname(path);
}

async function processesOf(run: ChildRun): Promise<readonly number[]> {
  const pids = await pidTree(run.pid);
  // Servers start and end processes all the time, so some are gone by now.
  const names = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  expect(names.filter((name) => name.includes('bin/postgres')).length).toBeGreaterThan(1);
  expect(names.filter((name) => name.includes('worker-main')).length).toBeGreaterThan(0);
  return pids;
}

async function labDirectories(): Promise<readonly string[]> {
  const parents = [tmpdir(), '/dev/shm'].filter(existsSync);
  const names = await Promise.all(parents.map((parent) => readdir(parent)));
  return names.flat().filter((name) => /^pgweave-\w{6}$/.test(name));
}

describe('the demo', () => {
  it('is ready when it says so, shows what it promises, and leaves nothing behind', async () => {
    const run = new ChildRun(
      ['demo', '--no-data', '--shards', '2', '--port', '0', '--admin-port', '0'],
      { cwd: '/' },
    );
    runs.push(run);
    const url = await run.ready();
    expect(await query(url, 'select count(*) from reservation')).toEqual([{ count: '0' }]);
    await query(url, "insert into customer values ('Kim', 'Kim', 'Korea', now())");
    for (const sql of statementsOf(run.stdout)) {
      expect(await query(url, sql), sql).toBeDefined();
    }
    for (const line of hasPsql ? shellLinesOf(run.stdout, /^psql .* -c/) : []) {
      const { status, stderr } = spawnSync('sh', ['-c', line]);
      expect({ status, stderr: String(stderr) }, line).toEqual({ status: 0, stderr: '' });
    }
    for (const page of run.stdout.match(/http:\S+/g) ?? []) {
      expect((await fetch(page)).status, page).toBe(200);
    }
    await killAndWatch(run, url);

    const pids = await processesOf(run);
    const directory = labDirectory(run);
    const startedAt = systemClock.now();
    expect(await run.stop()).toMatchObject({ code: 0, signal: null });
    expect(systemClock.now() - startedAt).toBeLessThan(stopMaxMs);
    expect(pids.filter(isRunning)).toEqual([]);
    expect(existsSync(directory)).toBe(false);
  });

  it('stops on Ctrl-C, also while it starts', async () => {
    for (const moment of [/starting a primary/, /starting pgweave/, /^ready /m]) {
      const run = demo();
      await waitUntil(() => moment.test(run.stdout), { timeoutMs: 30_000, pollMs: 1 });
      const pids = await pidTree(run.pid);
      const startedAt = systemClock.now();
      run.kill('SIGINT');
      const { code, stderr } = await run.ended();
      expect(systemClock.now() - startedAt).toBeLessThan(stopMaxMs);
      expect(code).toBe(0);
      expect(stderr).not.toMatch(/\n +at /);
      expect(pids.filter(isRunning)).toEqual([]);
    }
  });

  it('says in one line that a port is in use, and starts nothing', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const before = await labDirectories();
    for (const option of ['--port', '--admin-port']) {
      const run = demo(option, port);
      const { code, stdout, stderr } = await run.ended();
      expect(code).toBe(1);
      expect(stdout).toBe('');
      expect(stderr).toMatch(new RegExp(`^pgweave: .*${port}.*in use.*\n( {4}.*\n)?$`));
    }
    expect(await labDirectories()).toEqual(before);
    server.close();
  });

  it('keeps its rows in a directory that was asked for', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'pgweave-kept-'));
    // For the servers' account, when root runs this.
    await chmod(parent, 0o755);
    try {
      const [port = 0] = await findFreePorts(1);
      const words = ['--dir', 'bookings', '--port', String(port)];
      const first = demoIn(parent, ...words);
      const url = await first.ready();
      await query(url, "insert into customer values ('Kim', 'Kim', 'Korea', now())");
      expect(await first.stop()).toMatchObject({ code: 0 });
      const again = demoIn(parent, ...words);
      expect(await again.ready()).toBe(url);
      expect(await query(url, 'select cust_id from customer')).toEqual([{ cust_id: 'Kim' }]);
      expect(await again.stop()).toMatchObject({ code: 0 });
      const others = demoIn(parent, ...words, '--shards', '2');
      const { code, stderr } = await others.ended();
      expect(code).toBe(1);
      expect(stderr).toMatch(/^pgweave: .*bookings holds the shards a_z, not a_m, n_z\n/);
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  });

  it('takes its servers with it when it is killed', async () => {
    const run = demo();
    await run.ready();
    const pids = await processesOf(run);
    const directory = labDirectory(run);
    run.kill('SIGKILL');
    await run.ended();
    const gone = () => !pids.some(isRunning) && !existsSync(directory);
    expect(await waitUntil(gone, { timeoutMs: 10_000, pollMs: 50 })).toBe(true);
  });
});

/** The statements that it suggests: what is indented below its headings and is no command. */
function statementsOf(stdout: string): readonly string[] {
  const text = stdout.slice(stdout.indexOf('One customer'), stdout.indexOf('Kill a primary'));
  const lines = text.split('\n').filter((line) => line.startsWith('    '));
  const statements = lines
    .join('\n')
    .split(';')
    .map((sql) => sql.trim());
  expect(statements.length).toBeGreaterThan(3);
  return statements.filter(Boolean);
}

function shellLinesOf(stdout: string, pattern: RegExp): readonly string[] {
  const lines = stdout.split('\n').map((line) => line.trim());
  const found = lines.filter((line) => pattern.test(line));
  expect(found).not.toEqual([]);
  return found;
}

/** As the printed lines say: the standby takes over, and the dead one comes back as its standby. */
async function killAndWatch(run: ChildRun, url: string): Promise<void> {
  const [line = ''] = shellLinesOf(run.stdout, /^kill -9 /);
  expect(spawnSync('sh', ['-c', line]).status).toBe(0);
  await query(url, "insert into customer values ('Adam', 'Adam', 'Greece', now())");
  const console = url.replace(/\/app$/, '/pgweave');
  const shards = await query(console, 'show shards');
  expect(shards).toMatchObject([{ epoch: '2' }, { epoch: '1' }]);
  const rebuilt = async () => {
    const nodes = await query(console, 'show nodes');
    return nodes.filter(({ role }) => role === 'standby').length === 2;
  };
  expect(await waitUntil(rebuilt, { timeoutMs: 20_000, pollMs: 100 })).toBe(true);
}
