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
  create table rate (kind int primary key, percent int);
  create function discount(x int) returns int stable language sql as 'select percent from rate where kind = x';
  create function uneven_discount(x int) returns int stable language sql as 'select x';
  create type amount as (units int);
  create function add_amount(x int, y amount) returns int immutable language sql as 'select x + 10 * (y).units';
  create aggregate sum(amount) (sfunc = add_amount, stype = int, initcond = '0');
  create aggregate avg(text) (sfunc = textcat, stype = text, initcond = '');
  create aggregate count(amount) (sfunc = add_amount, stype = int, initcond = '5');
  create function round(x float8, y int) returns float8 immutable language sql as 'select x * y';
  create schema first;
  create aggregate first.sum(int) (sfunc = int4pl, stype = int, initcond = '1000');
  create table tag (id int primary key, plain text, icu text collate "und-x-icu", paid amount);
  create aggregate moving(int) (sfunc = added, stype = int, initcond = '0')`;
const fill = [
  ...[0, 1_000_000].map(
    (from) => `insert into entry select ${from} + i, 'n' || i % 3, i % 5, i / 4.0,
      date '2020-01-01' + i from generate_series(1, 6) i`,
  ),
  `insert into setting values ('n1', 'one'), ('n2', 'two')`,
  `insert into tag values (1, 'b', 'B', row(3)), (2, 'B', 'a', row(null)), (1000001, 'a', 'b', row(12)),
    (1000002, 'b', 'A', null)`,
  'insert into rate select i, i * 10 from generate_series(0, 3) i',
];

let both: BothSides;

beforeAll(async () => {
  const prepare: ServedOptions['prepare'] = async (lab) => {
    await withSession(lab.shard('b').primary, lab.login, (session) =>
      session.query(
        `create or replace function uneven(x int) returns int immutable language sql as 'select -x';
         create or replace function uneven_discount(x int) returns int stable language sql as 'select -x'`,
      ),
    );
    return ({ id }) => id;
  };
  const tables = ['rate: { reference: true }', 'tag: { distribution: by_id, key: id }'];
  const more = 'functions: { discount: { shards: any }, public.uneven_discount: { shards: any } }';
  both = await BothSides.start({ shards: ['a', 'b'], schema, workers: 1, prepare, tables, more });
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

describe('the greatest of rows is a record', () => {
  answersAlike([
    'select max(paid), min(paid), count(*) from tag',
    'select plain, max(paid) from tag group by 1 having count(*) > 0 order by 1',
    'select max(p) from (select paid as p from tag) s',
  ]);
});

describe('COLLATE wins over the collations of other values, gathered or not', () => {
  answersAlike([
    'select icu collate "C" as c from tag except select plain || plain from tag order by 1',
    'select icu collate "C" as c from tag union all select left(icu, 1) from tag order by c',
    'select left(plain collate "und-x-icu", 1) as l from tag intersect select plain from tag order by l',
    'select icu collate "C", count(*) from tag group by 1 having icu collate "C" < max(icu) order by 1',
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

describe('functions that the shard map declares read reference tables on any shard', () => {
  answersAlike([
    'select discount(kind), count(*) from entry group by 1 order by 1',
    'select id from entry where discount(kind) > 10 order by id',
    'select max(discount(kind)), sum(discount(kind)) from entry',
    'select id, discount(kind), row_number() over (order by id desc) from entry order by 1',
    `select a.id, discount(b.kind) from ${offKey} where discount(a.kind) = 20 order by 1, b.id`,
    'select discount(2)',
  ]);

  it('which sees what its transaction has done, and writes may use', async () => {
    const { served, plain } = await both.run([
      'begin',
      'update rate set percent = percent + 1',
      'select sum(discount(kind)) from entry',
      'select count(distinct discount(kind)) from entry',
      'update entry set weight = discount(kind) where discount(kind) is not null',
      'select sum(weight) from entry',
      'rollback',
    ]);
    expect(served).toEqual(plain);
  });

  it('but not one that differs from shard to shard', async () => {
    const { served } = await both.run(['select uneven_discount(kind) from entry']);
    const error = '0A000 function uneven_discount is not supported across shards';
    expect(served).toEqual([{ error }]);
  });
});

describe("aggregates of users that have the names of PostgreSQL's own", () => {
  answersAlike([
    'select sum(row(kind)::amount) from entry',
    'select note, sum(row(kind)::amount), sum(kind) from entry group by 1 order by 1',
    'select avg(note order by id), avg(kind), avg(weight) from entry',
    'select count(row(kind)::amount), count(*) from entry',
    'select count(kind), count(distinct kind), sum(distinct kind) from entry',
    'select sum(kind + 1), sum(weight * 2), sum(round(weight, 2)) from entry',
    'select kind, sum(kind) over (order by id) from entry order by id',
    'select note, sum(row(kind)::amount) from entry group by rollup (note) order by 1',
    'select id, sum(row(kind)::amount) from entry group by id order by id limit 3',
    `select (select sum(row(b.kind)::amount) from entry b where b.kind = a.kind) from entry a order by a.id`,
  ]);

  it('are refused where they hide those', async () => {
    const { served, plain } = await both.run([
      'set search_path to first, pg_catalog, public',
      'select sum(id) from entry where id = 1',
      'select sum(kind) from entry',
    ]);
    expect(served.slice(0, 2)).toEqual(plain.slice(0, 2));
    expect(served[2]).toEqual({ error: '0A000 function sum is not supported across shards' });
  });
});

const json = "jsonb_build_object('k', kind, 'n', note, 'w', jsonb_build_array(weight, id))";

describe('SQL/JSON, SQL/XML and named arguments are written back as they are', () => {
  answersAlike([
    `select id, json_value(${json}, '$.k' returning int) + 1 as v, json_value(${json}, '$.n') from entry order by 1`,
    `select json_value(${json}, '$.x' returning int default 3 + 4 on empty error on error), count(*) from entry group by 1 order by 1`,
    `select json_query(${json}, '$.w[*]' with conditional wrapper), json_query(${json}, '$.n' omit quotes) from entry order by id`,
    `select json_exists(${json}, '$.w[*] ? (@ > $low)' passing kind as low unknown on error), count(*) from entry group by 1 order by 1`,
    `select id from entry where json_exists(${json}, 'strict $.k ? (@ == 2)') order by id`,
    `select note is json, ('{"a": 1, "a": ' || kind || '}') is json object with unique keys, note is not json array from entry order by id`,
    `select count(*) filter (where kind::text is json scalar), bool_or(note is json value) from entry`,
    `select json_object('k': kind, 'n' value note absent on null with unique keys returning jsonb), json_array(kind, null, note null on null) from entry order by id`,
    `select json_scalar(kind), json_serialize(json(${json}::text with unique keys) returning text) as s from entry order by id`,
    `select json_arrayagg(kind order by id), json_objectagg(id: note absent on null returning jsonb) from entry`,
    'select json_array(select id from entry order by id returning jsonb), count(*) from entry',
    'select id, json_array(select b.kind from entry b where b.id = a.id) from entry a order by id',
    'select name, json_array(select json_array(select id from entry where note = name order by id) from rate where kind < 2) from setting order by 1',
    'select json_array(select note from entry where id = 1)',
    'select json_array(select id from entry where kind = 9), json_array(values (1), (2)) from entry limit 1',
    'select json_array(select kind from entry where id < 3 union select kind from entry order by 1) as a',
    `select note, json_arrayagg(weight order by id null on null returning jsonb) from entry group by note order by note`,
    `select id, json_arrayagg(kind) over (order by id rows 1 preceding) from entry order by id`,
    'select json_arrayagg(1) from entry limit 1',
    `select e.id, j.* from entry e, json_table(${json}, '$' as root columns (
       o for ordinality, k int path '$.k', n text path '$.n' default 'no' on empty error on error,
       x text format json path '$.w' with wrapper keep quotes, "Has" boolean exists path '$.z' false on error,
       nested path '$.w[*]' as elements columns (w numeric path '$', i for ordinality)) error on error) j order by 1, 2, w`,
    `select j.w, count(*) from entry e cross join lateral json_table(${json}, '$.w[*]' columns (w text path '$')) as j group by 1 order by 1 limit 5`,
    `select a.id, j.k from ${offKey} left join json_table('[1, 2, 3]', '$[*]' columns (k int path '$')) as j(k) on j.k = a.kind order by 1, b.id`,
    `select id, make_interval(days => kind, hours => 2), note from entry where day < make_date(year => 2020, month => 1, day => 5) order by 1`,
    `select collation for (note), collation for (note collate "C"), count(*) from entry group by 1, 2`,
    'select current_user, s.current_user from (select current_user, kind from entry order by kind limit 1) s',
  ]);
});

it('JSON_ARRAY of a query must say its one column', async () => {
  const { served } = await both.run(['select json_array(select * from setting)']);
  expect(served).toEqual([{ error: '0A000 JSON_ARRAY of a query without one named column' }]);
});

describe('functions of PostgreSQL that depend on arguments and settings only', () => {
  answersAlike([
    "select date(day + 1.5 * interval '1 day'), count(*) from entry group by 1 order by 1",
    `select id from entry where to_tsvector('simple', note) @@ plainto_tsquery('simple', 'n1') order by id`,
    `select ts_rank(to_tsvector('english', note), websearch_to_tsquery('english', 'n2 or n1')), count(*) from entry group by 1 order by 1`,
    "select sum(pow(kind, 2)), max(age(day, date '2019-01-01')), sum(age(day, date '2020-01-01')) from entry",
    "select sum(make_interval(days => kind)), avg(justify_hours(kind * interval '20 hours')) from entry",
    `select e.id, r.* from entry e, jsonb_to_record(${json}) as r(k int, n text) order by 1`,
    `select r.k, count(*) from entry e, jsonb_to_recordset(jsonb_build_array(${json}, '{"k": 77}'::jsonb)) as r(k int) group by 1 order by 1`,
    `select (jsonb_populate_record(null::amount, jsonb_build_object('units', kind))).units, count(*) from entry group by 1 order by 1`,
    `select range_agg(daterange(day, day + 2)), count(*) from entry where daterange(day, null) @> date '2020-01-04'`,
    'select array_to_json(array[kind, id]), array_sort(array[kind, 3]) from entry order by id',
    'select hashtextextended(note, 0), area(box(point(0, 0), point(kind, 2))) from entry order by id',
    `select note is nfc normalized, count(*) from entry group by 1`,
  ]);
});

describe('SQL/XML', () => {
  answersAlike([
    `select xmlelement(name "Entry", xmlattributes(id, note as n), note, xmlcomment('c')) from entry order by id`,
    `select xmlserialize(content xmlforest(kind, note as "N") as text), xmlconcat('<a/>', xmlpi(name p, note)) from entry order by id`,
    `select id, xmlparse(document '<a>' || note || '</a>') is document, xmlparse(content note preserve whitespace) from entry order by id`,
    `select xmlagg(xmlelement(name e, id) order by id) from entry`,
    `select xmlexists('//a' passing by value xmlparse(document '<a>' || note || '</a>')), count(*) from entry group by 1`,
    `select xmlroot(xmlparse(document '<a/>'), version '1.0', standalone yes)::text, xmlroot(xmlparse(document '<a/>'), version no value)::text, id from entry order by id limit 2`,
    `select e.id, x.* from entry e, xmltable(xmlnamespaces('http://x' as x, 'http://d' as "D"), '/r/D:i' passing
       xmlparse(document '<r xmlns:d="http://d"><d:i a="' || e.kind || '">' || e.note || '</d:i><d:i/></r>')
       columns o for ordinality, a int path '@a' default 7, n text path '.' not null) x order by 1, 2`,
    `select n, count(*) from entry e, xmltable('//i' passing xmlparse(document '<r><i>' || e.note || '</i></r>') columns n text path '.') group by 1 order by 1`,
  ]);
});

describe('the table that a row is in', () => {
  answersAlike([
    'select tableoid::regclass, count(*) from entry group by 1',
    `select id, e.tableoid::regclass::text, e.tableoid = 'entry'::regclass as own from entry e order by id`,
    'select e.*, tableoid::regclass from entry e order by id',
    'select *, e.tableoid::regclass from entry e join setting s on s.name = e.note order by id',
    'select a.tableoid::regclass, b.tableoid::regclass, s.tableoid::regclass from entry a left join entry b on b.kind = a.kind + 3 cross join setting s order by a.id, b.id, s.name limit 4',
    'select t::text, count(*) from (select tableoid::regclass as t from entry union all select r.tableoid::regclass from rate r) u group by 1 order by 1',
    'select x.tableoid::regclass from (select tableoid, id from entry) x order by id limit 2',
    'select (select count(*) from entry b where b.tableoid = a.tableoid) from entry a order by id limit 2',
  ]);

  it('has the OID that the home shard gives it', async () => {
    const home = both.served.lab.shard('a').primary;
    const oid = await withSession(home, both.served.lab.login, async (session) => {
      const { rows } = await session.query(`select 'entry'::regclass::oid::text as oid`);
      return rows[0]?.['oid'];
    });
    const { served } = await both.run(['select distinct tableoid::text from entry']);
    expect(served[0]).toMatchObject({ rows: [[oid]] });
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
