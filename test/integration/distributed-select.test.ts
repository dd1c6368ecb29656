import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BothSides } from '../support/both-sides.ts';

// What one PostgreSQL answers over the rows of both shards; ids from 1000000 on are on shard b.

const schema = `
  create table entry (id int primary key, note text, kind int, weight float8, day date);
  create table setting (name text primary key, value text)`;
const fill = [
  ...[0, 1_000_000].map(
    (from) => `insert into entry select ${from} + i, 'n' || i % 3, i % 5, i / 4.0,
      date '2020-01-01' + i from generate_series(1, 6) i`,
  ),
  `insert into setting values ('n1', 'one'), ('n2', 'two')`,
];

let both: BothSides;

beforeAll(async () => {
  both = await BothSides.start({ shards: ['a', 'b'], schema, workers: 1 });
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
