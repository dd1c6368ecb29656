import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import copyStreams from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import * as own from './tell.mjs';

const { client: name, customers, failureOf, sampleId, sampleRow, tell } = own;

const pool = new pg.Pool({ ...own.connection, ssl: own.ssl, max: 4 });
const [adam, kim, pia] = customers;

own.tellVersion('pg');

await tell('connect', async () => {
  const session = await pool.connect();
  const { rows } = await session.query('select current_user, current_database() as database');
  const { authorized } = session.connection.stream;
  session.release();
  return { rows, authorized };
});

await tell('login', async () => {
  const ways = [{ ssl: own.ssl, enableChannelBinding: true }, own.holder];
  const seen = [];
  for (const way of ways) {
    const session = new pg.Client({ ...own.connection, ...way });
    await session.connect();
    seen.push((await session.query('select current_user')).rows);
    await session.end();
  }
  const uncertified = new pg.Client({ ...own.connection, user: 'holder', ssl: own.ssl });
  return [seen, await failureOf(uncertified.connect())];
});

await tell('introspection', async () => {
  const columns = await pool.query(
    `select table_name, column_name, data_type, is_nullable from information_schema.columns
       where table_schema = 'public' and table_name in ('customer', 'reservation', 'item', 'sample')
       order by table_name, ordinal_position`,
  );
  const { rows } = await pool.query(
    `select conrelid::regclass::text as table, pg_get_constraintdef(oid) as constraint
       from pg_constraint where conrelid = 'reservation'::regclass order by 2`,
  );
  return { columns: columns.rows, constraints: rows };
});

await tell('crud', async () => {
  const counts = [];
  for (const id of customers) {
    const { rows } = await pool.query(
      'insert into customer (cust_id, name, country, created) values ($1, $2, $3, $4) returning *',
      [id, `Name of ${id}`, name, '2024-05-06'],
    );
    counts.push(rows[0]);
  }
  const all = await pool.query('select cust_id, name from customer where country = $1 order by 1', [
    name,
  ]);
  const updated = await pool.query('update customer set name = $2 where cust_id = $1', [
    kim,
    'New',
  ]);
  await pool.query("insert into customer values ($1, 'x', $2, now())", [`Gone-${name}`, name]);
  const gone = await pool.query('delete from customer where cust_id = $1 returning name', [
    `Gone-${name}`,
  ]);
  return [counts, all.rows, updated.rowCount, gone.rows];
});

await tell('types', async () => {
  const columns = Object.keys(sampleRow);
  const slots = columns.map((_, index) => `$${index + 3}`);
  await pool.query(`insert into sample (id, client, ${columns}) values ($1, $2, ${slots})`, [
    sampleId(1),
    name,
    ...Object.values(sampleRow),
  ]);
  const { rows, fields } = await pool.query('select * from sample where id = $1', [sampleId(1)]);
  const binary = await pool.query({
    text: 'select * from sample where id = $1',
    values: [sampleId(1)],
    binary: true,
    types: { getTypeParser: () => (value) => value },
  });
  const types = fields.map(({ name: column, dataTypeID }) =>
    column.startsWith('mood') ? column : [column, dataTypeID],
  );
  return { rows, types, binary: binary.rows };
});

await tell('nulls', async () => {
  await pool.query('insert into sample (id, client, words, numbers) values ($1, $2, $3, $4)', [
    sampleId(2),
    name,
    null,
    [1, null],
  ]);
  const { rows } = await pool.query('select * from sample where id = $1 and words is null', [
    sampleId(2),
  ]);
  return rows;
});

await tell('ids', async () => {
  const { rows } = await pool.query(
    "insert into remark (cust_id, body) values ($1, 'first'), ($1, 'second') returning id",
    [kim],
  );
  const found = await pool.query('select body from remark where cust_id = $1 and id = $2', [
    kim,
    rows[1].id,
  ]);
  return [rows.map(({ id }) => typeof id), found.rows];
});

await tell('own key', async () => {
  const text = 'update customer set cust_id = $1, name = $2 where cust_id = $3';
  const { rowCount } = await pool.query(text, [pia, 'Saved', pia]);
  return rowCount;
});

await tell('any array', async () => {
  const { rows } = await pool.query(
    'select cust_id, name from customer where cust_id = any($1) order by cust_id',
    [customers],
  );
  const updated = await pool.query('update customer set country = $2 where cust_id = any($1)', [
    customers,
    name,
  ]);
  return [rows, updated.rowCount];
});

await tell('in list', async () => {
  const { rows } = await pool.query(
    'select cust_id, name from customer where cust_id in ($1, $2, $3) order by cust_id desc',
    [adam, pia, 'nobody'],
  );
  return rows;
});

await tell('exists', async () => {
  const { rows } = await pool.query(
    `select exists (select 1 from customer where cust_id = $1) as here,
            exists (select 1 from customer where name = $2) as there`,
    [kim, 'nobody'],
  );
  return rows;
});

await tell('page', async () => {
  const total = await pool.query("select count(*) from customer where country = 'Seed'");
  const { rows } = await pool.query(
    "select cust_id from customer where country = 'Seed' order by name, cust_id limit $1 offset $2",
    [7, 14],
  );
  return [total.rows, rows];
});

await tell('report', async () => {
  const { rows } = await pool.query(
    `select date_trunc('month', date) as month, category, sum(payment) as revenue, count(*),
            avg(payment)::numeric(10, 2) as mean
       from reservation join item using (item_id) group by 1, 2 having count(*) > $1 order by 1, 2`,
    [3],
  );
  return rows;
});

await tell('join', async () => {
  const { rows } = await pool.query(
    `select c.name, array_agg(r.reserve_id order by r.reserve_id) as ids, max(i.title) as title
       from customer c left join reservation r on r.cust_id = c.cust_id
            left join item i on i.item_id = r.item_id
      where c.cust_id = any($1) group by c.cust_id, c.name order by 1`,
    [['Adam-01', 'Zoe-02', kim]],
  );
  return rows;
});

await tell('upsert', async () => {
  const text = `insert into customer values ($1, $2, $3, '2024-01-01')
    on conflict (cust_id) do update set name = excluded.name returning name`;
  const first = await pool.query(text, [`Upsert-${name}`, 'one', 'upsert']);
  const second = await pool.query(text, [`Upsert-${name}`, 'two', 'upsert']);
  return [first.rows, second.rows];
});

await tell('lock', async () => {
  const session = await pool.connect();
  await session.query('begin');
  const { rows } = await session.query('select name from customer where cust_id = $1 for update', [
    kim,
  ]);
  const other = await failureOf(
    pool.query('select name from customer where cust_id = $1 for update nowait', [kim]),
  );
  await session.query('commit');
  session.release();
  return [rows, other];
});

await tell('savepoint', async () => {
  const session = await pool.connect();
  await session.query('begin');
  await session.query('update customer set name = $2 where cust_id = $1', [adam, 'before']);
  await session.query('savepoint one');
  const error = await failureOf(session.query('insert into customer values ($1)', [kim]));
  const blocked = await failureOf(session.query('select 1'));
  await session.query('rollback to savepoint one');
  await session.query('update customer set name = $2 where cust_id = $1', [kim, 'after']);
  await session.query('release savepoint one');
  await session.query('commit');
  session.release();
  const { rows } = await pool.query(
    'select name from customer where cust_id in ($1, $2) order by 1',
    [adam, kim],
  );
  return [error, blocked, rows];
});

await tell('transaction', async () => {
  const session = await pool.connect();
  const seen = [];
  for (const end of ['rollback', 'commit']) {
    await session.query('begin');
    for (const [index, id] of customers.entries()) {
      await session.query('insert into reservation values ($1, $2, 10, 1, $3)', [
        index,
        id,
        '2025-01-01',
      ]);
    }
    await session.query(end);
    const { rows } = await session.query(
      'select count(*)::int, sum(payment) from reservation where cust_id = any($1)',
      [customers],
    );
    seen.push(rows);
  }
  session.release();
  return seen;
});

await tell('batch', async () => {
  const results = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      pool.query('insert into reservation values ($1, $2, $3, 2, $4) returning reserve_id', [
        100 + index,
        customers[index % 4],
        index,
        '2025-02-02',
      ]),
    ),
  );
  const several = await pool.query('select 1 as one; select 2 as two; select count(*) from item');
  return [results.map(({ rows }) => rows[0].reserve_id), several.map(({ rows }) => rows)];
});

await tell('stream', async () => {
  const session = await pool.connect();
  const text =
    'select cust_id, reserve_id from reservation where reserve_id >= $1 and cust_id not like $2 order by 2, 1';
  const cursor = session.query(new Cursor(text, [500, '%-%-%']));
  const first = await cursor.read(100);
  const second = await cursor.read(5);
  await cursor.close();
  let count = 0;
  let last = null;
  for await (const row of session.query(new QueryStream(text, [500, '%-%-%'], { batchSize: 64 }))) {
    count += 1;
    last = row;
  }
  session.release();
  return [first.length, second, count > 1000, last !== null];
});

await tell('prepared', async () => {
  const session = await pool.connect();
  const seen = [];
  for (let round = 0; round < 8; round++) {
    const id = customers[round % 4];
    const { rows } = await session.query({
      name: 'by-customer',
      text: 'select cust_id, country from customer where cust_id = $1',
      values: [id],
    });
    seen.push(rows[0]);
  }
  session.release();
  return seen;
});

await tell('errors', async () => {
  const failing = [
    ['insert into customer values ($1, $2, $3, now())', [kim, 'again', name]],
    ['insert into customer (cust_id, name) values ($1, $2)', [`New-${name}`, 'x']],
    ['insert into reservation values (1, $1, 1, 999, now())', [kim]],
    ['insert into sample (id, client, whole) values ($1, $2, -1)', [sampleId(9), name]],
    ['select * from customer where cust_id = $1 and created = $2', [kim, 'no date']],
    ['select * from nowhere', []],
    ['select nothing from customer', []],
    ['selec 1', []],
    ['select 1 / $1::int', [0]],
    ['select * from sample where id = $1', ['no uuid']],
    [
      'insert into sample (id, client, short) values ($1, $2, $3)',
      [sampleId(9), name, 'x'.repeat(21)],
    ],
    ['select reserve_id / (item_id - item_id) from reservation', []],
  ];
  const seen = [];
  for (const [text, values] of failing) seen.push(await failureOf(pool.query(text, values)));
  return seen;
});

await tell('cancel', async () => {
  const seen = [];
  for (const text of ['select pg_sleep(30)', own.longReport]) {
    const session = await pool.connect();
    const { rows } = await session.query('select pg_backend_pid() as pid');
    const running = failureOf(session.query(text));
    const other = new pg.Client({ ...own.connection, ssl: own.ssl });
    const active = session._getActiveQuery();
    setTimeout(() => other.cancel(session, active), 200);
    seen.push([rows.length, await running, (await session.query('select 1 as one')).rows]);
    session.release();
  }
  return seen;
});

await tell('copy', async () => {
  const session = await pool.connect();
  const input = session.query(copyStreams.from('copy note (body) from stdin'));
  await pipeline(Readable.from([`${name} one\n`, `${name} two\n`]), input);
  const parts = [];
  const output = session.query(
    copyStreams.to(`copy (select body from note where body like '${name}%' order by 1) to stdout`),
  );
  for await (const part of output) parts.push(part.toString());
  session.release();
  return [input.rowCount, parts.join('')];
});

await tell('sharded copy', async () => {
  const session = await pool.connect();
  const lines = customers.flatMap((id) => [
    `7001\t${id}\t1\t1\t2025-03-03\n`,
    `7002\t${id}\t2\t2\t2025-03-03\n`,
  ]);
  const input = session.query(copyStreams.from('copy reservation from stdin'));
  await pipeline(Readable.from(lines), input);
  const failed = session.query(copyStreams.from('copy reservation from stdin'));
  const error = await failureOf(pipeline(Readable.from([lines[0], 'no row\n']), failed));
  const parts = [];
  const output = session.query(
    copyStreams.to(
      "copy (select * from reservation where date = '2025-03-03' order by cust_id, reserve_id) to stdout (format csv, header)",
    ),
  );
  for await (const part of output) parts.push(part.toString());
  session.release();
  return [input.rowCount, error.slice(0, 2), parts.join('')];
});

await pool.end();
