import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BothSides } from '../support/both-sides.ts';

// Ids from 1000000 on are on shard b, 'a' is the home shard.
const schema = `
  create collation sorted (provider = icu, locale = 'und', deterministic = true);
  create type mood as enum ('sad', 'glad');
  create table entry (id int primary key, note varchar(20) collate sorted, weight numeric(10, 2), at timestamptz(3),
    feels mood, tags text[], bits bit(3), code char(4));
  create table setting (name text primary key, value text);
  create view heavy as select id, weight from entry where weight > 2`;

let sides: BothSides;

beforeAll(async () => {
  sides = await BothSides.start({ shards: ['a', 'b'], schema, workers: 1 });
  await same([
    `insert into entry select i, 'n' || i % 3, i / 4.0, '2024-01-02 03:04:05.678Z', 'glad', array['x', null], b'101', 'c'
      from generate_series(1, 5) i`,
    `insert into entry select 1000000 + i, 'f' || i % 3, i / 3.0, null, 'sad', '{}', null, 'd' || i
      from generate_series(1, 5) i`,
    "insert into setting values ('n1', '2')",
  ]);
});

afterAll(async () => {
  await sides?.stop();
});

/** The same statements give the same answers. */
async function same(statements: readonly string[]): Promise<void> {
  const { served, plain } = await sides.run(statements);
  expect(served).toEqual(plain);
}

const columnsOf = (table: string) =>
  `select attname, format_type(atttypid, atttypmod), (select collname from pg_collation c where c.oid = attcollation),
    attnotnull from pg_attribute where attrelid = '${table}'::regclass and attnum > 0 order by attnum`;

describe('a table made of rows of several shards', () => {
  it.each([
    ['temporary', 'create temp table made as'],
    ['of the home shard', 'create table made as'],
    ['unlogged', 'create unlogged table made as'],
  ])('has their types and names: %s', async (_, create) => {
    await same([
      `${create} select *, weight * 2 as twice, count(*) over (), note || 'x' collate "C" as plain, 'text' as word,
        null as nothing, weight::int as whole from entry where weight < 1000`,
      columnsOf('made'),
      "select relpersistence from pg_class where relname = 'made'",
      'select * from made order by id',
      'drop table made',
    ]);
  });

  it.each([
    'create temp table made as select note, sum(weight) total from entry group by note',
    'create temp table made (a, b) as select note, sum(weight) from entry group by note',
    'create temp table made (a) as select note, count(*) from entry group by 1 having count(*) > 1',
    'create temp table made with (fillfactor = 70) as table entry',
    'create temp table made as select id, weight from heavy union all select 7, 7 from setting',
    'create temp table made as with w as (select id from entry) select count(*) from w',
    'create temp table made as select * from entry where id = 1000002',
    'create temp table made as select * from entry where id = 2',
    'create temp table made as select * from entry where false',
    'create temp table made as select e.id, s.value from entry e left join setting s on s.name = e.note',
    'create temp table made as select * from entry with no data',
    'create temp table made as values (1), (2)',
    'create temp table made as select * from setting',
    'select id, note into temp made from entry where weight > 1',
    'select id into temp made from entry where weight > 1 union select 3',
    'select id into made from entry where weight > 1 union select 3',
    'select id, count(*) into table made from entry group by id',
    'select * into temp made from setting',
    'create temp table made as select id, id from entry',
    'create temp table made as select no_such from entry',
    'create temp table setting as select * from entry',
  ])('is what one PostgreSQL makes: %s', async (create) => {
    await same([create, columnsOf('made'), 'select * from made order by 1', 'drop table made']);
  });

  it('is there for the rest of the session, or the block', async () => {
    await same([
      'create temp table picked as select id, note from entry where weight > 1',
      'select count(*) from picked join entry using (id)',
      'begin',
      'create temp table inside on commit drop as select id from entry',
      'insert into inside select id + 1 from entry',
      'select count(*) from inside',
      'savepoint s',
      'create table other as select note, max(id) top from entry group by note',
      'select * from other order by note',
      'rollback to s',
      'select * from other',
      'rollback',
      'select * from inside',
      'select count(*) from picked',
    ]);
  });

  it('is known to every session as soon as it is answered', async () => {
    await same([
      'create table report as select note, sum(weight) from entry group by note',
      'create table if not exists report2 as select 1 as x from entry',
    ]);
    await same([
      'select * from report order by note',
      'select r.note, e.id from report r join entry e using (note) order by id',
      'drop table report, report2',
    ]);
  });

  it('is made with parameters, and leaves nothing when it fails', async () => {
    const [served, plain] = await Promise.all([sides.served.connect(), sides.connectPlain()]);
    const ask = async (text: string, values: unknown[] = []) => {
      const [ours, theirs] = await Promise.all(
        [served, plain].map(async (client) => {
          const answer = await client.query({ text, values, rowMode: 'array' }).catch((e) => e);
          const { command, rowCount, rows, code } = answer;
          return { command, rowCount, rows, code };
        }),
      );
      expect(ours).toEqual(theirs);
    };
    try {
      await ask('create temp table made as select id, $2::text t from entry where weight > $1', [
        1,
        'x',
      ]);
      await ask('select * from made order by id');
      await ask('create table broken as select 1 / (id - 1000003) from entry', []);
      await ask('select * from broken');
      await ask('create temp table made as select id from entry');
    } finally {
      await Promise.all([served.end(), plain.end()]);
    }
  });
});
