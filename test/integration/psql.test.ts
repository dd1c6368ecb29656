import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

const hasPsql = spawnSync('psql', ['--version']).status === 0;

let served: ServedCluster;
let directory: string;

type Printed = { readonly code: number | null; readonly out: string; readonly err: string };

function psql(script: string, ...options: readonly string[]): Promise<Printed> {
  return psqlAt(`postgresql://app:app@127.0.0.1:${served.port}/app`, script, ...options);
}

async function psqlAt(
  url: string,
  script: string,
  ...options: readonly string[]
): Promise<Printed> {
  const child = spawn('psql', ['--no-psqlrc', ...options, url], {
    env: { ...process.env, PAGER: '', LC_ALL: 'C' },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    err += text;
  });
  child.stdin.end(script);
  const [code] = await once(child, 'close');
  return { code, out, err };
}

// Without psql (it is in Debian's postgresql-client) there is nothing to test.
describe.skipIf(!hasPsql)('psql', () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pgweave-psql-'));
    served = await ServedCluster.start({ shards: ['a', 'b'], schema: entrySchema });
  });

  afterAll(async () => {
    await served?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('describes what there is as the home shard itself does', async () => {
    const { host, port } = served.lab.shard('a').primary;
    const direct = `postgresql://app@${host}:${port}/app`;
    // An older psql fails at some of them with a newer server, then in both places.
    for (const command of ['d', 'd entry', 'd+ entry', 'dt', 'di+', 'l', 'du', 'df', 'dn+', 'dT']) {
      expect(await psql(`\\${command}`), command).toEqual(await psqlAt(direct, `\\${command}`));
    }
    const { out } = await psql('\\d+ entry');
    expect(out).toMatch(/"entry_pkey" PRIMARY KEY, btree \(id\)/);
  });

  it('writes, reads, times and explains', async () => {
    const { code, out, err } = await psql(
      `\\timing on
      insert into entry values (1, 'on a');
      insert into entry values (1000001, 'on b');
      select id, note from entry order by id desc;
      begin; update entry set note = 'x' where id = 1; rollback;
      explain select count(*) from entry;
      \\x
      select note from entry where id = 1 \\gx
      prepare one as select note from entry where id = $1;
      execute one(1000001);
      \\conninfo`,
    );
    expect(code).toBe(0);
    expect(out).toMatch(/INSERT 0 1\nTime: [\d.]+ ms/);
    expect(out).toMatch(/1000001 \| on b\n +1 \| on a\n/);
    expect(out).toMatch(/QUERY PLAN[\s\S]*On shard a:[\s\S]*Seq Scan on entry[\s\S]*On shard b:/);
    expect(out).toMatch(/note \| on a/);
    expect(out).toMatch(/PREPARE\n[\s\S]*note \| on b/);
    expect(err).toBe('');
  });

  it('copies to and from tables of the home shard and of all shards', async () => {
    const source = join(directory, 'in.csv');
    const target = join(directory, 'out.csv');
    const rows = Array.from({ length: 5_000 }, (_, index) => `name ${index},"value, ${index}"\n`);
    await writeFile(source, rows.join(''));
    const entries = rows.map((_, index) => `${index * 300},"value, ${index}"\n`).join('');
    await writeFile(`${source}.entries`, entries);
    const { out, err } = await psql(
      `\\copy setting from '${source}' csv
      \\copy (select * from setting order by length(name), name) to '${target}' csv
      truncate entry;
      \\copy entry from '${source}.entries' csv
      \\copy (select * from entry order by id) to '${target}.entries' csv
      copy entry from stdin;
-1\tinline
1999999\tinline
\\.
      \\copy entry from '${source}' csv
      select count(*) from setting;
      select count(*) as entries from entry;`,
    );
    expect(out).toMatch(/COPY 5000\nCOPY 5000\n/);
    expect(out).toMatch(/\n +5000\n/);
    expect(await readFile(target, 'utf8')).toBe(rows.join(''));
    expect(await readFile(`${target}.entries`, 'utf8')).toBe(entries);
    expect(out).toMatch(/\n +5002\n/);
    expect(err.match(/ERROR: /g)).toHaveLength(1);
    expect(err).toMatch(/CONTEXT: +COPY entry, line 1, column id: "name 0"/);
  });

  it('stops at an error where it was told to, and goes on where not', async () => {
    const script = 'select 1;\nselect nothing from entry where id = 1;\nselect 2 as later;\n';
    const stopped = await psql(script, '--set', 'ON_ERROR_STOP=1');
    expect(stopped.code).toBe(3);
    expect(stopped.err).toMatch(
      /ERROR: {2}column "nothing" does not exist\nLINE 1: select nothing/,
    );
    expect(stopped.out).not.toMatch(/later/);
    expect((await psql(script)).out).toMatch(/later/);
  });

  it('stops a statement on Ctrl-C and goes on', async () => {
    const overShards = 'select count(*) from entry, generate_series(1, 1000000000000)';
    for (const sql of ['select pg_sleep(20)', overShards]) {
      const url = `postgresql://app:app@127.0.0.1:${served.port}/app`;
      const commands = ['\\warn begun', sql, "select 'after'"].flatMap((text) => ['-c', text]);
      const child = spawn('psql', ['--no-psqlrc', url, ...commands]);
      let printed = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (text) => {
          printed += text;
        });
      }
      // The login may need a server, too, and psql listens to Ctrl-C only after it.
      await served.until('psql to begin', () => printed.includes('begun'));
      await served.until('the statement to run', async () => (await served.busyConnections()) > 0);
      const startedAt = systemClock.now();
      child.kill('SIGINT');
      await once(child, 'close');
      expect(printed).toMatch(/canceling statement due to user request/);
      expect(systemClock.now() - startedAt).toBeLessThan(5_000);
      await served.untilIdle();
    }
  });

  it('prints the lists of the console', async () => {
    const url = `postgresql://app:app@127.0.0.1:${served.port}/pgweave`;
    const child = spawnSync('psql', ['--no-psqlrc', url, '-c', 'show help', '-c', 'show shards']);
    expect(child.status).toBe(0);
    expect(String(child.stdout)).toMatch(/FAILOVER shard .*\| promotes[\s\S]*open/);
  });
});
