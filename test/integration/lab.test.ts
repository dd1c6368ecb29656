import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync } from 'node:fs';
import { chmod, cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LabCluster } from '../../src/lab/lab-cluster.ts';
import { openLabDirectory } from '../../src/lab/lab-directory.ts';
import { isRunning, pidTree } from '../../src/lab/pid-tree.ts';
import { findPostgresPackage, preparePostgres } from '../../src/lab/postgres-binaries.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { runCommand } from '../../src/lab/run-command.ts';
import { withSession } from '../../src/lab/sql.ts';
import { temporaryParents } from '../../src/lab/temporary-parents.ts';
import { waitUntil } from '../../src/lab/wait-until.ts';
import { startPlainPostgres, startTestCluster } from '../support/lab.ts';

const dist = join(import.meta.dirname, '../../dist');
const [scratch = '/tmp'] = await temporaryParents(2 ** 29);
// Not when we are one: then all of this file shows it. Nor when the checkout is closed to others.
const ordinaryUserCanRun =
  process.geteuid?.() === 0 &&
  (await runCommand(process.execPath, ['-e', `fs.accessSync('${dist}')`], {
    uid: 65_534,
    gid: 65_534,
  }).then(
    () => true,
    () => false,
  ));

describe('a lab of two shards with standbys', () => {
  let cluster: LabCluster;

  beforeAll(async () => {
    cluster = await startTestCluster({
      shards: ['s1', 's2'],
      standbys: true,
      schema: 'create table note (id int primary key, text text)',
    });
  });

  afterAll(async () => {
    await cluster.stop();
  });

  async function ask<Row extends object>(server: PostgresServer, sql: string): Promise<Row[]> {
    return withSession(server, cluster.login, async (session) => (await session.query(sql)).rows);
  }

  it('gives each shard a system identifier of its own, the same on both its nodes', async () => {
    const identifiers = await Promise.all(
      cluster.nodes.map(async (node) => {
        const [row] = await ask<{ id: string }>(
          node,
          'select system_identifier::text as id from pg_control_system()',
        );
        return row?.id;
      }),
    );
    expect(identifiers[0]).toBe(identifiers[1]);
    expect(identifiers[2]).toBe(identifiers[3]);
    expect(identifiers[0]).not.toBe(identifiers[2]);
  });

  it('acknowledges a commit only when the standby has it', async () => {
    const { primary, standby } = cluster.shard('s1');
    const [row] = await ask<{ sync_state: string; application_name: string }>(
      primary,
      'select sync_state, application_name from pg_stat_replication',
    );
    // pgweave names all that it waits for as a quorum, also when it is one.
    expect(row?.sync_state).toMatch(/^(?:sync|quorum)$/);
    expect(row?.application_name).toBe(standby?.id);

    await standby?.pause();
    try {
      const slow = withSession(primary, cluster.login, async (session) => {
        await session.query("set statement_timeout = '300ms'");
        return session.query("insert into note values (1, 'waits')");
      });
      const first = await Promise.race([
        slow.then(() => 'committed'),
        waitUntil(() => false, { timeoutMs: 500, pollMs: 100 }).then(() => 'waiting'),
      ]);
      expect(first).toBe('waiting');
      await standby?.resume();
      await slow;
    } finally {
      await standby?.resume();
    }
  });

  it('rebuilds a killed primary as a standby of the promoted one', async () => {
    const shard = cluster.shard('s2');
    const { primary, standby } = shard;
    if (standby === null) throw new Error('s2 has no standby');
    await ask(primary, "insert into note values (1, 'before')");
    await primary.kill();
    expect(primary.pid).toBeNull();
    await ask(standby, "alter system set synchronous_standby_names = ''");
    await ask(standby, 'select pg_promote()');
    await ask(standby, "insert into note values (2, 'after')");

    let written = 2;
    let rebuilt = false;
    const writing = withSession(standby, cluster.login, async (session) => {
      while (!rebuilt) {
        written += 1;
        await session.query("insert into note values ($1, repeat('x', 5000))", [written]);
      }
    });
    await cluster.rebuild(primary);
    rebuilt = true;
    await writing;

    const contents = "select count(*), md5(string_agg(text, ',' order by id)) from note";
    const expected = await ask(standby, contents);
    const arrived = await waitUntil(
      async () => JSON.stringify(await ask(primary, contents)) === JSON.stringify(expected),
      { timeoutMs: 5000, pollMs: 20 },
    );
    expect(arrived).toBe(true);
    expect(written).toBeGreaterThan(10);
    expect(await ask(primary, 'select pg_is_in_recovery() as recovering')).toEqual([
      { recovering: true },
    ]);
  });
});

describe('stopping a lab', () => {
  it('leaves no process and no directory, also of frozen and killed servers', async () => {
    const cluster = await startTestCluster({ shards: ['s1', 's2'], standbys: true });
    const trees = await Promise.all(cluster.nodes.map((node) => pidTree(node.pid ?? 0)));
    const pids = trees.flat();
    expect(pids.length).toBeGreaterThan(4 * 4);
    await cluster.nodes[0]?.pause();
    await cluster.nodes[3]?.kill();
    const started = performance.now();
    await cluster.stop();
    expect(performance.now() - started).toBeLessThan(5000);
    expect(pids.filter(isRunning)).toEqual([]);
    expect(existsSync(cluster.directory)).toBe(false);
  });
});

// A program of its own, on the built code: a cluster starts, says its pids and waits to be ended.
const program = `
  import { LabCluster } from ${JSON.stringify(join(dist, 'lab/lab-cluster.js'))};
  import { pidTree } from ${JSON.stringify(join(dist, 'lab/pid-tree.js'))};
  const cluster = await LabCluster.start({
    shards: ['s1'], standbys: 1, directory: null, bytesMax: 2 ** 29, database: 'app',
    authentication: 'scram-sha-256', locale: { provider: 'builtin', name: 'C.UTF-8' },
    durable: false, settings: {},
  });
  const trees = await Promise.all(cluster.nodes.map((node) => pidTree(node.pid)));
  process.stdout.write(JSON.stringify({ directory: cluster.directory, pids: trees.flat() }));
  process.once('SIGTERM', () => cluster.stop());
  process.stdin.resume().once('end', () => cluster.stop());
`;

type Started = { readonly directory: string; readonly pids: readonly number[] };

describe('a program with a lab', () => {
  async function startProgram(account: { uid: number; gid: number } | null) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit'],
      ...account,
    });
    const [text] = await once(child.stdout, 'data');
    const started: Started = JSON.parse(String(text));
    return { child, ...started };
  }

  it.skipIf(!ordinaryUserCanRun)('works as an ordinary user', async () => {
    const { child, directory, pids } = await startProgram({ uid: 65_534, gid: 65_534 });
    expect(existsSync(join(directory, 's1-2', 'data', 'standby.signal'))).toBe(true);
    expect(pids.filter(isRunning).length).toBe(pids.length);
    child.stdin.end();
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(pids.filter(isRunning)).toEqual([]);
    expect(existsSync(directory)).toBe(false);
  });

  it('leaves nothing behind when it is killed', async () => {
    const { child, directory, pids } = await startProgram(null);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const gone = await waitUntil(() => !pids.some(isRunning) && !existsSync(directory), {
      timeoutMs: 5000,
      pollMs: 50,
    });
    expect(gone).toBe(true);
  });
});

describe('a kept directory', () => {
  it("starts again with its rows, and is nobody else's meanwhile", async () => {
    const directory = await mkdtemp(join(scratch, 'pgweave-test-'));
    await chmod(directory, 0o711);
    const options = {
      shards: ['s1'],
      standbys: 1,
      directory,
      bytesMax: 0,
      database: 'app',
      authentication: 'scram-sha-256',
      locale: { provider: 'builtin', name: 'C.UTF-8' },
      durable: false,
      settings: {},
    } as const;
    try {
      const first = await LabCluster.start(options);
      await withSession(first.shard('s1').primary, first.login, (session) =>
        session.query('create table kept as select 42 as answer'),
      );
      await first.keep();
      await expect(LabCluster.start(options)).rejects.toThrow(/s1-[12] runs already in/);
      await first.stop();
      await expect(LabCluster.start({ ...options, shards: ['s2'] })).rejects.toThrow(
        'holds the shards s1, not s2',
      );

      const second = await LabCluster.start(options);
      try {
        expect(second.existing).toBe(true);
        expect(second.nodes.map(({ port }) => port)).toEqual(first.nodes.map(({ port }) => port));
        const { rows } = await withSession(second.shard('s1').primary, second.login, (session) =>
          session.query('select answer from kept'),
        );
        expect(rows).toEqual([{ answer: 42 }]);
      } finally {
        await second.stop();
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('is not taken when it holds something else, which stays untouched', async () => {
    const directory = await mkdtemp(join(scratch, 'pgweave-test-'));
    await writeFile(join(directory, 'thesis.txt'), 'precious');
    await chmod(directory, 0o711);
    try {
      await expect(openLabDirectory(directory, [], null)).rejects.toThrow('is not empty');
      expect(await readdir(directory)).toEqual(['thesis.txt']);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('a start that is interrupted', () => {
  it.each([0, 300, 700, 1000])('after %d ms leaves nothing behind', async (delayMs) => {
    const directory = join(await mkdtemp(join(scratch, 'pgweave-test-')), 'lab');
    await chmod(dirname(directory), 0o711);
    const interrupt = new AbortController();
    setTimeout(() => interrupt.abort(new Error('interrupted')), delayMs);
    try {
      const starting = LabCluster.start({
        shards: ['s1', 's2'],
        standbys: 1,
        directory,
        bytesMax: 0,
        database: 'app',
        authentication: 'trust',
        locale: { provider: 'builtin', name: 'C.UTF-8' },
        durable: false,
        settings: {},
        signal: interrupt.signal,
      });
      const outcome = await starting.then(
        (cluster) => cluster.discard().then(() => 'too late'),
        (error: Error) => error.message,
      );
      expect(outcome).toMatch(/^(interrupted|too late)$/);
      expect(existsSync(directory)).toBe(false);
    } finally {
      await rm(dirname(directory), { recursive: true });
    }
  });
});

describe('a package whose install script did not run', () => {
  it('is used from a copy that has the links between its libraries', async () => {
    const directory = await mkdtemp(join(scratch, 'pgweave-test-'));
    try {
      const root = join(directory, 'package');
      await cp(findPostgresPackage(), root, {
        recursive: true,
        filter: (path) => !lstatSync(path).isSymbolicLink(),
      });
      const { initdb } = await preparePostgres(root, directory, null);
      expect(initdb.startsWith(root)).toBe(false);
      await runCommand(initdb, ['--version'], null);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('stopping while a node is rebuilt', () => {
  it('ends the rebuild, also when its primary hangs', async () => {
    const cluster = await startTestCluster({ shards: ['s1'], standbys: true });
    const { primary, standby } = cluster.shard('s1');
    if (standby === null) throw new Error('s1 has no standby');
    await standby.kill();
    await primary.pause();
    const rebuilding = cluster.rebuild(standby).then(
      () => 'rebuilt',
      () => 'ended',
    );
    await waitUntil(() => false, { timeoutMs: 100, pollMs: 50 });
    await cluster.stop();
    expect(await rebuilding).toBe('ended');
    expect(cluster.nodes.map(({ pid }) => pid)).toEqual([null, null]);
    expect(existsSync(cluster.directory)).toBe(false);
  });
});

describe('a plain server', () => {
  it('sorts by the bytes of UTF-8 unless told otherwise', async () => {
    const plain = await startPlainPostgres();
    try {
      const { rows } = await withSession(
        plain.server,
        { database: 'app', password: null },
        (session) =>
          session.query("select t from (values ('b'), ('B'), ('é'), ('a')) v(t) order by t"),
      );
      expect(rows.map(({ t }) => t)).toEqual(['B', 'a', 'b', 'é']);
    } finally {
      await plain.stop();
    }
  });
});
