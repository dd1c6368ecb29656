import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BothSides } from '../support/both-sides.ts';
import { entrySchema } from '../support/served-cluster.ts';

const rowsPerShard = 500;
const overShards = 'select id, note from entry order by id';
const onOneShard = 'select id, note from entry where id = 1000007';

let sides: BothSides;

beforeAll(async () => {
  sides = await BothSides.start({ shards: ['a', 'b'], schema: entrySchema });
  const notes = Array.from({ length: rowsPerShard }, (_, index) => index);
  const values = (from: number) => notes.map((n) => `(${from + n}, 'note ${n}')`).join(', ');
  const statements = [0, 1_000_000].map((from) => `insert into entry values ${values(from)}`);
  const { served, plain } = await sides.run(statements);
  expect(served).toEqual(plain);
});

afterAll(async () => {
  await sides?.stop();
});

describe('SQL cursors answer as those of one PostgreSQL', () => {
  it.each([
    ['over several shards', overShards],
    ['on one shard', onOneShard],
    ['on the home shard', 'select g, g * g as square from generate_series(1, 30) g'],
    ['over an aggregate', 'select count(*), sum(id), min(note) from entry'],
    ['over groups', 'select id % 7 as rest, count(*) from entry group by 1 order by 1'],
    [
      'over a join of a shipped table',
      'select e.id from entry e join setting s on s.value = e.note',
    ],
  ])('%s, read forward', async (_, query) => {
    const { served, plain } = await sides.run([
      'begin',
      `declare c no scroll cursor for ${query}`,
      'fetch c',
      'fetch 3 from c',
      'move 2 in c',
      'fetch relative 2 from c',
      'fetch absolute 12 from c',
      'move absolute 20 in c',
      'fetch forward 0 from c',
      'rollback',
      'begin',
      `declare "C d" no scroll cursor without hold for ${query}`,
      'move relative 3 in "C d"',
      'fetch all from "C d"',
      'fetch all from "C d"',
      'fetch next from "C d"',
      'move 0 in "C d"',
      'close "C d"',
      'commit',
    ]);
    expect(served).toEqual(plain);
  });

  it.each([
    ['fetch prior from c'],
    ['fetch backward 3 from c'],
    ['fetch -1 from c'],
    ['fetch absolute 2 from c'],
    ['fetch first from c'],
    ['move backward all in c'],
    ['fetch nothing_declared'],
    ['close nothing_declared'],
    ['declare c cursor for select 1'],
    ['declare d cursor for select id from no_such_table'],
    ['select * from entry where id = 1 / 0'],
    ['fetch 1 from c; close all; fetch 1 from c'],
  ])('%s: the same error, and the same state after it', async (statement) => {
    const { served, plain } = await sides.run([
      'begin',
      `declare c no scroll cursor for ${overShards}`,
      'fetch 5 from c',
      statement,
      'fetch c',
      'rollback',
      'fetch c',
      `declare c cursor for ${overShards}`,
      'close all',
    ]);
    expect(served).toEqual(plain);
  });

  it('see the rows as they were when they were declared', async () => {
    const { served, plain } = await sides.run([
      'begin',
      `declare c no scroll cursor for ${overShards}`,
      "update entry set note = 'changed' where id = 1000003",
      'insert into entry values (1900000, null)',
      'delete from entry where id = 1000499',
      'fetch 1 from c',
      'fetch all from c',
      'rollback',
    ]);
    expect(served).toEqual(plain);
  });

  it('live and die with savepoints', async () => {
    const { served, plain } = await sides.run([
      'begin',
      `declare a no scroll cursor for ${overShards}`,
      'fetch 2 from a',
      'savepoint s',
      `declare b no scroll cursor for ${overShards}`,
      `declare o cursor for ${onOneShard}`,
      'fetch 2 from b',
      'fetch 2 from a',
      'rollback to s',
      'fetch 2 from a',
      'savepoint t',
      `declare d no scroll cursor for ${overShards}`,
      'release t',
      'fetch 1 from d',
      'fetch from o',
      'rollback to s',
      'fetch from d',
      'rollback to s',
      'fetch 3 from a',
      `declare b cursor for ${onOneShard}`,
      'fetch all from b',
      'commit',
    ]);
    expect(served).toEqual(plain);
  });

  it('fail in the middle with the error of a shard, for good', async () => {
    const { served, plain } = await sides.run([
      'begin',
      'declare c no scroll cursor for select id, 10 / (id - 5) from entry order by id',
      'savepoint s',
      'fetch 3 from c',
      'fetch 2 from c',
      'fetch 1 from c',
      'rollback to s',
      'fetch all from c',
      'rollback to s',
      'select count(*) from entry',
      'commit',
    ]);
    expect(served).toEqual(plain);
  });

  it('read ten thousand rows piece by piece, next to other statements', async () => {
    const client = await sides.served.connect();
    const ids: number[] = [];
    await client.query('begin');
    const query = `select e.id * 10 + g as id from entry e, generate_series(0, 9) g order by e.id, g`;
    await client.query(`declare c no scroll cursor for ${query}`);
    for (;;) {
      const { rows } = await client.query('fetch 777 from c');
      if (rows.length === 0) break;
      ids.push(...rows.map(({ id }) => id));
      await client.query('select note from entry where id = 1000001');
    }
    await client.query('commit');
    await client.end();
    expect(ids).toHaveLength(20 * rowsPerShard);
    expect(ids).toEqual([...ids].sort((x, y) => x - y));
  });

  it('through the extended protocol take parameters and give what is asked', async () => {
    for (const client of [await sides.served.connect(), await sides.connectPlain()]) {
      await client.query('begin');
      await client.query('declare c cursor for select id from entry where note = $1 order by id', [
        'note 7',
      ]);
      const { rows, fields } = await client.query({ text: 'fetch 10 from c', name: 'fetch-ten' });
      expect(rows).toEqual([{ id: 7 }, { id: 1_000_007 }]);
      expect(fields.map(({ name, dataTypeID }) => [name, dataTypeID])).toEqual([['id', 23]]);
      await client.query('declare d binary cursor for select id from entry order by id');
      const binary = { text: 'fetch 1 from d', name: 'fetch-one', binary: true, rowMode: 'array' };
      const fetched = await client.query(binary as never);
      expect(fetched).toMatchObject({ command: 'FETCH', fields: [{ format: 'binary' }] });
      expect(fetched).toHaveProperty('rows.length', 1);
      await client.query('rollback');
      await client.end();
    }
  });

  it('give text where they are fetched so, and are refused in another format over shards', async () => {
    const client = await sides.served.connect();
    await client.query(`begin; declare c no scroll cursor for ${overShards}`);
    const fetch = { text: 'fetch 1 from c', name: 'fetch', binary: true };
    await expect(client.query(fetch)).rejects.toMatchObject({ code: '0A000' });
    await client.query('rollback');
    await client.end();
  });

  it.each([
    ['over several shards', overShards],
    ['gathered', 'select id, row_number() over (order by note desc, id) from entry'],
    ['of no rows', 'select id from entry where id > 9 and note is null'],
  ])('that scroll go back and forth, %s', async (_, query) => {
    const { served, plain } = await sides.run([
      'begin',
      `declare c scroll cursor for ${query}`,
      'fetch backward 2 from c',
      'fetch 5 from c',
      'fetch prior from c',
      'fetch 0 from c',
      'move 0 in c',
      'fetch backward all from c',
      'fetch next from c',
      'fetch absolute 990 from c',
      'fetch backward 3 from c',
      'fetch relative -2 from c',
      'fetch relative 4 from c',
      'fetch last from c',
      'fetch next from c',
      'fetch 0 from c',
      'fetch prior from c',
      'fetch absolute -3 from c',
      'move backward 2 in c',
      'fetch first from c',
      'fetch absolute 0 from c',
      'move forward all in c',
      'move backward all in c',
      'fetch absolute 2000 from c',
      'fetch absolute -2000 from c',
      'fetch forward 2 from c',
      'fetch forward -1 from c',
      'fetch backward -1 from c',
      'move relative -7 in c',
      'savepoint s',
      'move 3 in c',
      'rollback to s',
      'fetch next from c',
      'fetch all from c',
      'close c',
      'fetch c',
      'rollback',
    ]);
    expect(served).toEqual(plain);
  });

  it('that do not scroll say so as PostgreSQL does', async () => {
    const { served, plain } = await sides.run([
      'begin',
      `declare c no scroll cursor for ${overShards}`,
      'savepoint s',
      'fetch 2 from c',
      'fetch prior from c',
      'rollback to s',
      'fetch next from c',
      'rollback',
    ]);
    expect(served).toEqual(plain);
  });

  it('over several shards refuse to lock', async () => {
    const client = await sides.served.connect();
    await client.query('begin');
    const declare = 'declare c cursor for select id from entry for update';
    await expect(client.query(declare)).rejects.toMatchObject({
      code: '0A000',
      hint: expect.stringMatching(/\w/),
    });
    await client.end();
  });

  it('leave no connection behind when the client goes away', async () => {
    const client = await sides.served.connect();
    await client.query(`begin; declare c no scroll cursor for ${overShards}; fetch 3 from c`);
    await client.end();
    await sides.served.untilIdle();
  });
});

describe('portals with a row limit', () => {
  it.each([
    ['over several shards', overShards],
    ['on one shard', onOneShard],
  ])('%s are read in pieces, in a transaction and outside', async (_, text) => {
    const [served, plain] = [await sides.served.connect(), await sides.connectPlain()];
    const limited = { text, rows: 7, rowMode: 'array' } as const;
    const expected = (await plain.query({ text, rowMode: 'array' })).rows;
    expect((await served.query(limited)).rows).toEqual(expected);
    await served.query('begin');
    expect((await served.query(limited)).rows).toEqual(expected);
    await served.query('commit');
    await Promise.all([served.end(), plain.end()]);
  });
});

describe('rows of twenty megabytes', () => {
  it('over several shards arrive at the pace of the client', async () => {
    const client = await sides.served.connect();
    const text = "select repeat('x', 20000000) as long from entry where id in (7, 1000007)";
    const lengths = async (sql: string) => {
      const { rows } = await client.query(sql);
      return rows.map(({ long }) => long.length);
    };
    expect(await lengths(text)).toEqual([20_000_000, 20_000_000]);
    await client.query(`begin; declare c scroll cursor for ${text}`);
    for (const fetch of ['fetch all from c', 'fetch backward all from c', 'fetch all from c']) {
      expect(await lengths(fetch)).toEqual([20_000_000, 20_000_000]);
    }
    await client.query('rollback');
    await client.end();
  });
});

const hasPsql = spawnSync('psql', ['--version']).status === 0;

describe.skipIf(!hasPsql)('psql with FETCH_COUNT', () => {
  it.each([
    ['over several shards', overShards],
    ['on one shard', onOneShard],
    ['that fails', 'select 10 / (id - 20) from entry order by id'],
  ])('prints a query %s as it does with one PostgreSQL', async (_, query) => {
    const script = `\\set FETCH_COUNT 7\n${query};\nbegin;\n${query};\nselect 1;\nrollback;\n`;
    const [served, plain] = [
      await printed(sides.urls.served, script),
      await printed(sides.urls.plain, script),
    ];
    expect(served).toEqual(plain);
    expect(served.out.length).toBeGreaterThan(10);
  });
});

async function printed(url: string, script: string): Promise<{ out: string; err: string }> {
  const child = spawn('psql', ['--no-psqlrc', url], { env: { ...process.env, LC_ALL: 'C' } });
  const said = { out: '', err: '' };
  child.stdout.on('data', (piece) => {
    said.out += piece;
  });
  child.stderr.on('data', (piece) => {
    said.err += piece;
  });
  child.stdin.end(script);
  await once(child, 'close');
  return said;
}
