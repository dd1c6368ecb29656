import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { BothSides } from '../support/both-sides.ts';
import type { ServedOptions } from '../support/served-cluster.ts';

// What one PostgreSQL answers over the rows of both shards; ids from 1000000 on are on shard b.

const schema = `
  reset role; create extension pg_trgm; create extension citext; set role app;
  create table entry (id int primary key, note text, kind int, weight float8, day date);
  create table setting (name text primary key, value text);
  create function next_one(x int) returns int immutable language sql as 'select x + 1';
  create function loud(x text) returns text immutable language plpgsql as 'begin return upper(x); end';
  create function up_to(x int) returns setof int immutable language sql as 'select generate_series(1, x)';
  create function both_ways(x int) returns int immutable language sql as 'select x';
  create function both_ways(x text) returns text language sql as 'select x';
  create function looks(x int) returns int stable language sql as 'select x';
  create function uneven(x int) returns int immutable language sql as 'select x';
  create function lower(x int) returns int language sql as 'select x';
  create function added(x int, y int) returns int language sql as 'select x + y';
  create aggregate total(int) (sfunc = int4pl, stype = int, initcond = '0');
  create aggregate joined(text) (sfunc = textcat, stype = text);
  create aggregate moving(int) (sfunc = added, stype = int, initcond = '0')`;
const fill = [
  ...[0, 1_000_000].map(
    (from) => `insert into entry select ${from} + i, 'n' || i % 3, i % 5, i / 4.0,
      date '2020-01-01' + i from generate_series(1, 6) i`,
  ),
  `insert into setting values ('n1', 'one'), ('n2', 'two')`,
];

let both: BothSides;

beforeAll(async () => {
  const prepare: ServedOptions['prepare'] = async (lab) => {
    await withSession(lab.shard('b').primary, lab.login, (session) =>
      session.query(
        `create or replace function uneven(x int) returns int immutable language sql as 'select -x'`,
      ),
    );
    return ({ id }) => id;
  };
  both = await BothSides.start({ shards: ['a', 'b'], schema, workers: 1, prepare });
  await both.run(fill);
});
afterAll(() => both?.stop());

/** Errors must be PostgreSQL's own, too, which none of these statements gives. */
function answersAlike(statements: readonly string[]): void {
  it.each(statements)('%s', async (text) => {
    const { served, plain } = await both.run([text]);
    expect(served).toEqual(plain);
    expect(served[0]).toHaveProperty('rows');
  });
}

const offKey = 'entry a join entry b on a.kind = b.kind';

describe('a whole row, of shards and of what is gathered, is one value', () => {
  answersAlike([
    'select e from entry e order by e desc limit 3',
    'select count(e), count(distinct e) from entry e',
    'select e is not null, count(*) from entry e group by 1',
    'select json_agg(e order by id), jsonb_agg(to_jsonb(e) order by id desc) from entry e',
    'select array_agg(e order by id) from entry e',
    `select row_to_json(a), to_jsonb(b) from ${offKey} order by a.id, b.id limit 3`,
    `select a, count(*) from ${offKey} group by a order by 1 limit 3`,
    `select distinct a from ${offKey} order by a desc limit 3`,
    `select a.note as a from ${offKey} group by a, a.id order by a, a.id limit 3`,
    `select pg_typeof(a)::text, count(*) from ${offKey} group by 1`,
    `select (x.a).note, (x.a).id from (select a from ${offKey}) x order by 2, 1 limit 2`,
    'select b is not null, b is null, count(b) from entry a left join entry b on a.kind + 4 = b.kind group by 1, 2 order by 1',
    'select json_agg(b order by a.id, b.id), array_agg(b order by a.id, b.id) from entry a left join entry b on a.kind + 3 = b.kind',
    'select x, x::text, row_to_json(x) from (select kind, count(*) as n from entry group by kind) x order by x.kind',
    `with w as (select kind, count(*) as n from entry group by kind)
      select w, s from w left join setting s on s.name = 'n' || w.kind order by w.kind`,
  ]);
});

describe('rows made of columns sort and are told apart', () => {
  answersAlike([
    'select kind, note, id from entry order by (kind, note), id',
    'select distinct (kind, note) from entry order by 1',
    'select max((id, note)), min(row(id, note)) from entry',
  ]);
});

describe('functions of users and extensions run on all shards if they are IMMUTABLE', () => {
  answersAlike([
    'select next_one(kind), count(*), sum(next_one(next_one(kind))) from entry group by 1 order by 1',
    `select distinct public.loud(note) from entry where loud(note) > 'N0' order by 1`,
    'select id, up_to(2) from entry order by 1, 2 limit 3',
    'select s, count(*) from entry, up_to(kind) s group by 1 order by 1',
    'select a.id from entry a join entry b on next_one(a.kind) = b.kind order by 1, b.id',
    `select similarity(note, 'n1') > 0.5, count(*) from entry group by 1 order by 1`,
    'select max(note::citext), count(distinct note::citext) from entry',
    'select note::citext, count(*) from entry group by 1 order by 1',
  ]);

  it('which writes may use, too', async () => {
    const { served, plain } = await both.run([
      'begin',
      `update entry set kind = next_one(kind) where loud(note) = 'N1'`,
      'select kind, count(*) from entry group by 1 order by 1',
      'rollback',
    ]);
    expect(served).toEqual(plain);
  });

  it.each([
    ['looks', 'the function is STABLE, and may read tables'],
    ['both_ways', 'another one of the name is VOLATILE'],
    ['uneven', 'the shards have different ones'],
    ['lower', "a VOLATILE one has the name of PostgreSQL's own"],
    ['moving', 'an aggregate calls what is VOLATILE'],
  ])('but not %s: %s', async (name) => {
    const { served } = await both.run([`select ${name}(kind) from entry`]);
    const error = `0A000 function ${name} is not supported across shards`;
    expect(served).toEqual([{ error }]);
  });
});

describe('aggregates of users combine rows, or stay where whole groups are', () => {
  answersAlike([
    'select total(kind) from entry',
    'select note, total(kind) filter (where kind > 2) from entry group by 1 order by 1',
    'select joined(note order by id) from entry',
    'select id, total(kind) from entry group by id order by id limit 3',
    'select id, total(kind) over (order by id) from entry order by id',
    'select note, total(kind) from entry group by rollup (note) having total(kind) > 1 order by 1, 2',
  ]);
});

describe('UNION folds rows on their shards, then those of all shards', () => {
  const arms = (count: number, between: string) =>
    Array.from({ length: count }, (_, n) => `select kind from entry where id % 90 = ${n}`).join(
      ` ${between} `,
    );
  answersAlike([
    'select kind, note from entry union select kind + 1, note from entry order by 2, 1 limit 7 offset 1',
    `select note from entry union all select note from entry union select 'x' order by note`,
    `select note from entry union select name from setting where name > 'n1' union values ('z') order by 1`,
    'select count(*), sum(k) from (select kind as k from entry union select id from entry) u',
    'select kind, kind from entry union select 1, 2 order by 1, 2',
    'with w as (select kind from entry where id > 2) select kind from w union select kind + 9 from w order by 1',
    'select kind from entry union select kind from entry order by 1 fetch first 2 rows with ties',
    'select 1.5 as n from entry union select kind from entry order by n',
    `select null as n union select kind from entry order by n`,
    'select kind from entry except select kind from entry where id < 3 union select 77 from entry order by 1',
    `${arms(90, 'union')} order by 1`,
  ]);
});

describe('aggregates whose rows are gathered', () => {
  answersAlike([
    'select range_agg(int4range(kind, kind + 1)) from entry',
    'select note, range_intersect_agg(int4range(0, kind + 1)) from entry group by note order by 1',
    'select json_agg_strict(nullif(kind, 1) order by id) from entry',
    'select jsonb_object_agg_strict(id, nullif(kind, 1)) from entry',
  ]);
});

describe('a sample is what each shard chooses of its own rows', () => {
  answersAlike([
    'select count(*), min(id), max(id) from entry tablesample bernoulli (100)',
    'select e.id from entry e tablesample system (0) order by 1',
    'select note, count(distinct kind) from entry tablesample system (100) group by 1 order by 1',
    'select count(*) from entry a tablesample bernoulli (100) join setting s on s.name = a.note',
    'select count(*) from (select * from entry tablesample bernoulli (100)) a join entry b on a.kind = b.kind',
    'select count(*) from entry a join entry b tablesample bernoulli (0) on a.kind = b.kind',
  ]);

  it.each([
    'select count(*) from entry tablesample bernoulli (50) repeatable (1)',
    'with w as (select id from entry tablesample bernoulli (50)) select * from w a, w b',
    'select count(*) from entry, setting tablesample system (50)',
  ])('but not %s', async (text) => {
    const { served } = await both.run([text]);
    expect(served).toEqual([{ error: expect.stringMatching(/^0A000 TABLESAMPLE/) }]);
  });
});
