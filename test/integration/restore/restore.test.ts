import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BothSides } from '../../support/both-sides.ts';

const dump = join(import.meta.dirname, 'application.sql');

const questions = [
  'select * from account order by id',
  'select * from line order by account_id, id',
  'select * from country order by code',
  'select * from remark order by id',
  'select * from rich order by id, note nulls last limit 20',
  'select * from remarks order by body',
  'select * from counted',
  'select last_remark(), twice(4)',
  "insert into line (account_id, note) values (400000, null), (2400000, 'x') returning account_id, note",
  'call tidy()',
  'select count(*) from remark',
  "insert into remark (body) values ('new') returning id",
  'savepoint s',
  "insert into account (id, country) values (1, 'xx')",
  'rollback to s',
  'insert into line (account_id, id) values (5, 5)',
  'rollback to s',
  'insert into account (id, size) values (2000001, -1)',
];

/** Those of the server's version; where there are none, psql alone restores a dump that is kept here. */
const newest = ['test/clients/.tools/embedded_postgres/pginstall/bin/', ''].find(
  (path) => versionOf(`${path}pg_dump`) >= 18 && versionOf(`${path}pg_restore`) >= 18,
);

function versionOf(program: string): number {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  return Number(/\d+/.exec(stdout ?? '')?.[0] ?? 0);
}

let sides: BothSides;
let directory: string;

async function run(program: string, words: readonly string[]) {
  const env = { ...process.env, LC_ALL: 'C', PGSSLMODE: 'disable' };
  const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  child.stderr.on('data', (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  expect([program, code, code === 0 ? '' : text]).toEqual([program, 0, '']);
  return text;
}

function psql(url: string): Promise<string> {
  return run('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', dump, url]);
}

const file = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgweave-restore-'));
  sides = await BothSides.start({
    shards: ['a', 'b', 'c'],
    tables: [
      'account: { distribution: by_id, key: id }',
      'line: { distribution: by_id, key: account_id }',
      'country: { reference: true }',
    ],
  });
  await psql(sides.urls.plain);
});

afterAll(async () => {
  await sides?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** What was restored is there, each row on the shard that owns its key, and goes on working. */
async function demandRestored(): Promise<void> {
  const { served, plain } = await sides.run(['begin', ...questions, 'rollback']);
  expect(served).toEqual(plain);
  expect(await sides.served.console('SHOW DRIFT')).toEqual([]);
  const client = await sides.served.connect();
  const made = await client.query('insert into account (size) values (7) returning id');
  expect(made.rows[0]?.id).toBeGreaterThan(4_000_000);
  const gone = await client.query('delete from account where id between 1200000 and 4500000');
  expect(gone.rowCount).toBe(7);
  const { rows } = await client.query('select count(*)::int as n from line');
  expect(rows).toEqual([{ n: 4 }]);
  await client.end();
}

afterEach(async () => {
  const client = await sides.served.connect();
  await client.query('drop schema public cascade');
  await client.query('create schema public');
  await client.end();
});

// Without psql (it is in Debian's postgresql-client) there is nothing to test.
describe.skipIf(versionOf('psql') === 0)('a dump of one PostgreSQL', () => {
  it('is restored by psql', async () => {
    await psql(sides.urls.served);
    await demandRestored();
  }, 120_000);

  it.skipIf(newest === undefined).each(['--single-transaction', '--jobs=3'])(
    'is restored by pg_restore %s',
    async (way) => {
      const words = ['--exit-on-error', '--dbname', sides.urls.served];
      const [pgDump, pgRestore] = [`${newest}pg_dump`, `${newest}pg_restore`];
      await run(pgDump, ['--format', 'custom', '--file', file('custom'), sides.urls.plain]);
      await run(pgRestore, [...words, way, '--no-owner', file('custom')]);
      await demandRestored();
    },
  );
});
