import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { withSession } from '../../src/lab/sql.ts';
import { BothSides } from '../support/both-sides.ts';
import { entrySchema } from '../support/served-cluster.ts';

let sides: BothSides;

beforeAll(async () => {
  sides = await BothSides.start({ shards: ['a', 'b'], schema: entrySchema });
  const statements = [
    "insert into entry values (1, 'on a')",
    "insert into entry values (1000001, 'on b')",
  ];
  const { served, plain } = await sides.run(statements);
  expect(served).toEqual(plain);
});

afterAll(async () => {
  await sides?.stop();
});

describe('errors of shards', () => {
  it.each([
    ['of one shard, with its position', 'select nothing from entry where id = 1000001'],
    ['of several shards, with its position', 'select id, nothing from entry'],
    ['of several shards, with a hint', 'select * from entry where id = note'],
    ['of one of several shards', 'select 1 / (id - 1000001) from entry'],
    ['of a sorted select', 'select id from entry order by 1 / (id - 1000001)'],
    ['of a value', 'select id from entry where note::int = 1'],
    ['of a constraint', "insert into entry values (1000001, 'twice')"],
    ['of a condition', "select id from entry where note::date = '2020-01-01'"],
  ])('%s come field by field as from one PostgreSQL', async (_, text) => {
    const errors = [];
    for (const client of [await sides.served.connect(), await sides.connectPlain()]) {
      const {
        name: _name,
        length: _length,
        ...error
      } = await client.query(text).then(
        () => ({ name: 'none', length: 0 }),
        (failure) => failure,
      );
      // Line numbers of PostgreSQL's sources, and the value that was met first, say nothing.
      errors.push({ ...error, line: '', message: error.message });
      expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
      await client.end();
    }
    expect(errors[0]).toHaveProperty('code');
    expect(errors[0]).toEqual(errors[1]);
  });

  it.each([
    ['before a shard was asked', ['begin', 'selec 1', 'selec 2', '', 'rollback']],
    [
      'of one shard',
      [
        'begin',
        'select 1 / (id - 1) from entry where id = 1',
        'selec 1',
        'select 1',
        ';',
        'select 1; selec 1',
        'commit',
        'select 1',
      ],
    ],
    ['of several shards', ['begin', 'select id, nothing from entry', 'selec 1', 'select 1', 'end']],
  ])(
    'leave a transaction failed, in which mistakes of the grammar are still told (%s)',
    async (_, statements) => {
      const { served, plain } = await sides.run(statements);
      expect(served).toEqual(plain);
      expect(plain.filter((seen) => 'error' in seen).length).toBeGreaterThan(1);
    },
  );

  it.each([
    ['of one shard', 'select 1 / (id - 1) from entry where id = 1'],
    ['of several shards', 'select id, nothing from entry'],
  ])(
    'leave a transaction failed, in which Parse still tells mistakes of the grammar (%s)',
    async (_, failing) => {
      const codes = await Promise.all(
        [await sides.served.connect(), await sides.connectPlain()].map(async (client) => {
          const code = async (config: { text: string; name?: string }) =>
            await client.query({ ...config, values: [] }).then(
              () => 'none',
              (error) => error.code,
            );
          await client.query('begin');
          const seen = [
            await code({ text: failing }),
            await code({ text: 'selec 1' }),
            await code({ text: 'selec 2', name: 'mistaken' }),
            await code({ text: 'select 3', name: 'fine' }),
            await code({ text: 'rollback' }),
            await code({ text: 'selec 1', name: 'mistaken' }),
          ];
          await client.end();
          return seen;
        }),
      );
      expect(codes[0]).toEqual(codes[1]);
      expect(codes[1]?.slice(1, 4)).toEqual(['42601', '42601', '25P02']);
    },
  );

  it('stop the other shards at once', async () => {
    const client = await sides.served.connect();
    const startedAt = systemClock.now();
    // On a it would take a minute, on b it fails.
    const text = `select case when id < 1000000 then (select count(*) from generate_series(1, 1000000000))
      else 1 / (id - 1000001) end from entry`;
    await expect(client.query(text)).rejects.toMatchObject({ code: '22012' });
    expect(systemClock.now() - startedAt).toBeLessThan(5_000);
    await client.end();
    await sides.served.untilIdle();
  });

  it('of locks that are not waited for are the same', async () => {
    const [holder, client] = [await sides.served.connect(), await sides.served.connect()];
    await holder.query('begin');
    const locked = await holder.query('select id from entry order by id for update');
    expect(locked.rows).toEqual([{ id: 1 }, { id: 1_000_001 }]);
    await expect(client.query('select id from entry for update nowait')).rejects.toMatchObject({
      code: '55P03',
    });
    expect((await client.query('select id from entry for update skip locked')).rows).toEqual([]);
    expect(
      (await client.query('select id from entry for key share nowait').catch((e) => e)).code,
    ).toBe('55P03');
    await holder.query('commit');
    expect(
      (await client.query('select id from entry order by id for no key update')).rowCount,
    ).toBe(2);
    await Promise.all([holder.end(), client.end()]);
  });

  it.each([
    ['select count(*) from entry for update'],
    ['select distinct note from entry for share'],
    ['select note from entry group by note for key share'],
    ['select id from entry union all select 5 for update'],
    ['select rank() over (order by id) from entry for no key update'],
  ])('%s: the lock is refused in the same words', async (text) => {
    const { served, plain } = await sides.run([text]);
    expect(served).toEqual(plain);
  });
});

describe('notices of shards', () => {
  it('reach the client, those of each of them', async () => {
    const client = await sides.served.connect();
    const notices: string[] = [];
    client.on('notice', ({ message = '' }) => notices.push(message));
    await client.query('set client_min_messages to debug2');
    await client.query('select id from entry');
    const said = notices.filter((message) => message.startsWith('parse <unnamed>: select id'));
    expect(said).toHaveLength(2);
    await client.end();
  });

  it('reach the client from a function on one shard', async () => {
    const { lab } = sides.served;
    await withSession(lab.shard('b').primary, lab.login, (session) =>
      session.query(`create function noisy(id int) returns int language plpgsql as
        $$ begin raise notice 'noise %', id; return id; end $$`),
    );
    const client = await sides.served.connect();
    const notices: (string | undefined)[] = [];
    client.on('notice', ({ message }) => notices.push(message));
    await client.query('select noisy(id) from entry where id = 1000001');
    expect(notices).toEqual(['noise 1000001']);
    await client.end();
  });
});
