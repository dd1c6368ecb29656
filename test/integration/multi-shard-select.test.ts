import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import { withSession } from '../../src/lab/sql.ts';
import type { AggregateOutput, PlanNode, SortKey } from '../../src/planner/plan.ts';
import type { ValueRef } from '../../src/sql/statement.ts';
import { startTestCluster } from '../support/lab.ts';
import { RealShards, run } from '../support/real-shards.ts';

const shardNames = ['s0', 's1', 's2'];
const schema = `
  create table sale (
    id int primary key, name text, price numeric(12,3), weight float8, ratio float4,
    amount int8, day date, at timestamptz, tag uuid, paid bool, code char(6), span interval
  )`;
// Deterministic on every server; the values are coarse, so that ties and NULLs occur.
const fill = (where: string) => `
  insert into sale
  select i, nullif(chr(65 + i * 7 % 26) || case when i % 5 = 0 then 'é' else '' end, 'H'),
    case when i % 11 = 0 then null else (i * 7919 % 1000003) / 1000.0 - 300 end,
    case when i % 13 = 0 then null else (i * 7907 % 4096) / 64.0 end,
    (i % 64) / 4.0, (i::int8 * 9999999967) % 1000000007, date '2020-01-01' + i % 40,
    timestamptz '2020-01-01 00:00+00' + i % 50 * interval '1 hour', md5((i % 30)::text)::uuid,
    case when i % 7 = 0 then null else i % 3 > 0 end, 'c' || i % 9, (i % 20) * interval '1 day'
  from generate_series(1, 3000) i where ${where}`;

let cluster: LabCluster;
let shards: RealShards;

beforeAll(async () => {
  cluster = await startTestCluster({ shards: [...shardNames, 'plain'], schema });
  await Promise.all(
    [...shardNames, 'plain'].map((name, index) =>
      withSession(cluster.shard(name).primary, cluster.login, (session) =>
        session.query(`set role app; ${fill(name === 'plain' ? 'true' : `i % 3 = ${index}`)}`),
      ),
    ),
  );
  shards = new RealShards(cluster, shardNames);
});

afterAll(async () => {
  shards?.stop();
  await cluster?.stop();
});

function route(sql: string, visibleCount: number, hiddenCount = 0): PlanNode {
  const query = { kind: 'rewritten', pieces: [sql] } as const;
  return { kind: 'route', query, visibleCount, hiddenCount };
}

function key(column: number, fields: Partial<SortKey> = {}): SortKey {
  const defaults = { descending: false, nullsFirst: false, collation: 'c', label: `${column}` };
  return { column, ...defaults, ...fields } as SortKey;
}

function ordered(sql: string, visibleCount: number, keys: readonly SortKey[]): PlanNode {
  return { kind: 'merge-append', input: route(sql, visibleCount, keys.length), keys };
}

function folded(
  input: PlanNode,
  groupBy: readonly SortKey[],
  outputs: readonly AggregateOutput[],
  carry: readonly number[] = [],
): PlanNode {
  return { kind: 'aggregate', input, groupBy, outputs, carry };
}

const byText = (rows: readonly (readonly (string | null)[])[]) =>
  rows.map((row) => JSON.stringify(row)).sort();

describe('rows of real shards', () => {
  it('appended are the rows of one server', async () => {
    const sql = 'select id, name, price, weight, ratio, at, span from sale';
    const answer = await shards.open({ kind: 'append', input: route(sql, 7) }, sql).fetch();
    const plain = await shards.plain(sql);
    expect(answer.rows).toHaveLength(3000);
    expect(byText(answer.rows)).toEqual(byText(plain.rows));
    expect([answer.columns[2], answer.types]).toEqual(['price', plain.types]);
  });

  it.each([
    ['name', 'desc nulls last'],
    ['name', 'asc nulls first'],
    ['price', 'asc'],
    ['weight', 'desc'],
    ['ratio', 'asc'],
    ['amount', 'desc'],
    ['day', 'asc'],
    ['at', 'desc'],
    ['tag', 'asc'],
    ['paid', 'asc'],
    ['code', 'desc'],
    ['span', 'asc'],
  ])('merged by %s %s come in the order of one server', async (column, direction) => {
    const descending = direction.startsWith('desc');
    const nullsFirst = direction.endsWith('first') || direction === 'desc';
    const order = `order by ${column} ${direction}, id`;
    const sql = `select id, ${column} from sale ${order}`;
    const shardSql = `select id, ${column}, ${column}, id from sale ${order}`;
    const root = ordered(shardSql, 2, [key(2, { descending, nullsFirst }), key(3)]);
    const answer = await shards.open(root, sql).fetch();
    const plain = await shards.plain(sql);
    expect(answer.rows).toEqual(plain.rows);
    expect(answer.types).toEqual(plain.types);
  });

  it('in binary format are the same bytes', async () => {
    const sql = 'select name from sale where id < 100 order by id';
    const root = ordered('select name, id from sale where id < 100 order by id', 1, [key(1)]);
    const text = await shards.open(root, sql).fetch();
    const binary = await shards.open(root, sql, { resultFormats: [1] }).fetch();
    expect(binary.rows).toEqual(text.rows);
  });

  it.each([
    [10, 0],
    [7, 25],
    [0, 0],
    [5000, 2990],
  ])(
    'limited to %i from %i are the rows of one server; connections stay good',
    async (count, offset) => {
      const text = 'select id, price from sale order by price, id';
      const plain = await shards.plain(`${text} limit ${count} offset ${offset}`);
      const refs = { count: parameter(0), offset: parameter(1) };
      const shardSql = `select id, price, price, id from sale order by price, id
      limit ($1::int8 + $2::int8)`;
      const root: PlanNode = {
        kind: 'limit',
        input: ordered(shardSql, 2, [key(2), key(3)]),
        ...refs,
      };
      const values = [Buffer.from(String(count)), Buffer.from(String(offset))];
      const parameters = { typeOids: [0, 0], formats: [0, 0], values };
      for (let round = 0; round < 3; round++) {
        const statement = `${text} limit $1 offset $2`;
        const answer = await shards.open(root, statement, { parameters }).fetch();
        expect(answer.rows).toEqual(plain.rows);
      }
    },
  );
});

describe('aggregates of real shards', () => {
  const aggregates = `count(*), sum(id), sum(amount), sum(price), sum(weight), avg(id), avg(amount),
    avg(price), avg(weight), min(price), max(day), bool_and(paid), bool_or(paid), sum(ratio)`;
  const visible = 'min(price), max(day)';
  const partial = `count(*), sum(id), sum(amount), sum(price), sum(weight), count(id), count(amount),
    count(price), count(weight), min(price), max(day), bool_and(paid), bool_or(paid), sum(ratio)`;
  const outputs = (shown: number): AggregateOutput[] => {
    const hidden = shown + 2;
    return [
      { kind: 'count', hidden },
      ...[1, 2, 3, 4].map((at) => ({ kind: 'sum' as const, hidden: hidden + at })),
      ...[1, 2, 3, 4].map((at) => ({
        kind: 'avg' as const,
        hiddenSum: hidden + at,
        hiddenCount: hidden + 4 + at,
      })),
      { kind: 'min', visible: shown, order: key(hidden + 9) },
      { kind: 'max', visible: shown + 1, order: key(hidden + 10) },
      { kind: 'bool_and', hidden: hidden + 11 },
      { kind: 'bool_or', hidden: hidden + 12 },
      { kind: 'sum', hidden: hidden + 13 },
    ];
  };

  // The floats are multiples of a power of two, so that their sums do not depend on the order.
  it.each(['true', 'id = 17', 'false', 'price is null'])(
    'over rows with %s are those of one server',
    async (where) => {
      const sql = `select ${aggregates} from sale where ${where}`;
      const shardSql = `select ${visible}, ${partial} from sale where ${where}`;
      const root = folded({ kind: 'append', input: route(shardSql, 2, 14) }, [], outputs(0));
      const answer = await shards.open(root, sql).fetch();
      const plain = await shards.plain(sql);
      expect(answer).toMatchObject({ rows: plain.rows, types: plain.types, end: 'complete' });
    },
  );

  it.each(['name', 'code', 'paid', 'day', 'span', 'tag', 'price'])(
    'by %s are those of one server',
    async (column) => {
      const sql = `select ${column}, ${aggregates} from sale group by 1 order by 1`;
      const shardSql = `select ${column}, ${visible}, ${partial}, ${column} from sale
      group by 1 order by 1`;
      const input: PlanNode = {
        kind: 'merge-append',
        input: route(shardSql, 3, 15),
        keys: [key(17)],
      };
      const root = folded(input, [key(17)], [{ kind: 'group', visible: 0 }, ...outputs(1)]);
      const answer = await shards.open(root, sql).fetch();
      const plain = await shards.plain(sql);
      expect(answer).toMatchObject({ rows: plain.rows, types: plain.types });
    },
  );

  it('sorted by a sum and limited are the top groups of one server', async () => {
    const sql = 'select name, sum(price) as s from sale group by 1 order by s desc, name limit 5';
    const shardSql = 'select name, sum(price), name from sale group by 1 order by 1';
    const input: PlanNode = { kind: 'merge-append', input: route(shardSql, 1, 2), keys: [key(2)] };
    const outputs: AggregateOutput[] = [
      { kind: 'group', visible: 0 },
      { kind: 'sum', hidden: 1 },
    ];
    const keys = [key(1, { descending: true, nullsFirst: true }), key(2)];
    const sorted: PlanNode = { kind: 'sort', input: folded(input, [key(2)], outputs, [2]), keys };
    const root: PlanNode = { kind: 'limit', input: sorted, count: parameter(0), offset: null };
    const parameters = { typeOids: [20], formats: [0], values: [Buffer.from('5')] };
    const answer = await shards.open(root, sql, { parameters, wantsDescription: false }).fetch();
    expect(answer.rows).toEqual((await shards.plain(sql)).rows);
  });

  it('print floats under the settings of their session', async () => {
    const sql = 'select sum(weight / 3) from sale where id = 17';
    const root = folded(
      { kind: 'append', input: route(sql, 0, 1) },
      [],
      [{ kind: 'sum', hidden: 0 }],
    );
    const held = await shards.hold();
    for (const connection of held.values())
      await run(connection, 'begin; set local extra_float_digits = -5');
    const answer = await shards.open(root, sql, {}, held).fetch();
    const plain = await shards.plain(sql, 'set extra_float_digits = -5');
    expect(answer.rows).toEqual(plain.rows);
    for (const connection of held.values()) await run(connection, 'rollback');
    for (const connection of held.values()) connection.release();
  });
});

describe('cursors over real shards', () => {
  it('leave the connections of a transaction free between two fetches', async () => {
    const held = await shards.hold();
    for (const connection of held.values()) await run(connection, 'begin');
    const sql = 'select id from sale order by id';
    const root = ordered('select id, id from sale order by id', 1, [key(1)]);
    const reading = shards.open(root, sql, {}, held);
    const ids: (string | null)[] = [];
    for (;;) {
      const answer = await reading.fetch(271);
      ids.push(...answer.rows.map((row) => row[0] ?? null));
      for (const connection of held.values()) await run(connection, 'select 1');
      if (answer.end === 'complete') break;
    }
    expect(ids).toEqual(Array.from({ length: 3000 }, (_, index) => String(index + 1)));
    const abandoned = shards.open(root, sql, {}, held);
    await abandoned.fetch(1);
    abandoned.cursor.close();
    for (const connection of held.values()) {
      await run(connection, 'commit');
      expect(connection.status).toBe('idle');
      connection.release();
    }
  });

  it('that are closed cancel their shards and leave good connections', async () => {
    const sql = 'select a.id from sale a, sale b, sale c';
    const root: PlanNode = { kind: 'append', input: route(sql, 1) };
    for (let round = 0; round < 5; round++) {
      const reading = shards.open(root, sql);
      const answer = await reading.fetch(10);
      expect(answer).toMatchObject({ end: 'suspended' });
      reading.cursor.close();
      const count = 'select count(*) from sale';
      const counted = folded(
        { kind: 'append', input: route(count, 0, 1) },
        [],
        [{ kind: 'count', hidden: 0 }],
      );
      expect((await shards.open(counted, count).fetch()).rows).toEqual([['3000']]);
    }
    await expect.poll(() => shards.counts.active).toBe(0);
  });

  it('fail with the error of a shard, and the connections serve on', async () => {
    const sql = 'select 1 / (id - 1500) from sale';
    const root: PlanNode = { kind: 'append', input: route(sql, 1) };
    await expect(shards.open(root, sql).fetch()).rejects.toMatchObject({ sqlState: '22012' });
    await expect.poll(() => shards.counts.active).toBe(0);
  });
});

function parameter(index: number): ValueRef {
  return { kind: 'parameter', index };
}
