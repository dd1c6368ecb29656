import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import postgres from 'postgres';
import * as own from './tell.mjs';

const { client: name, customers, failureOf, sampleId, sampleRow, tell } = own;
const [adam, kim, pia] = customers;

const { user: username, ...rest } = own.connection;
const sql = postgres({ ...rest, username, ssl: own.ssl, max: 4, onnotice: () => {} });

own.tellVersion('postgres');

await tell('connect', async () => {
  const [row] = await sql`select current_user, ${'text'} as parameter, ${7}::int + 1 as eight`;
  return row;
});

await tell('login', async () => {
  const { user, ssl } = own.holder;
  const certified = postgres({ ...rest, username: user, ssl, max: 1 });
  const rows = await certified`select current_user`;
  await certified.end();
  return rows;
});

await tell('introspection', () =>
  sql.unsafe(`select column_name, data_type from information_schema.columns
    where table_name = 'reservation' order by ordinal_position`),
);

await tell('crud', async () => {
  const rows = customers.map((cust_id) => ({
    cust_id,
    name: 'x',
    country: name,
    created: '2024-01-02',
  }));
  const inserted = await sql`insert into customer ${sql(rows)} returning cust_id, created`;
  const change = { name: 'New', country: name };
  const updated =
    await sql`update customer set ${sql(change, 'name', 'country')} where cust_id = ${kim}`;
  const read =
    await sql`select ${sql(['name', 'cust_id'])} from ${sql('customer')} where country = ${name} order by 2`;
  const gone = await sql`delete from customer where cust_id = ${`Gone-${name}`}`;
  return [inserted, updated.count, read, gone.count];
});

await tell('types', async () => {
  const { document, tree, bytes, ...others } = sampleRow;
  const row = { id: sampleId(1), client: name, ...others, bytes };
  await sql`insert into sample ${sql({ ...row, document: sql.json(document), tree: sql.json(tree) })}`;
  const found = await sql`select * from sample where id = ${sampleId(1)}`;
  return [found, found.columns.map((column) => column.name)];
});

await tell('nulls', async () => {
  await sql`insert into sample (id, client, words) values (${sampleId(2)}, ${name}, ${null})`;
  return await sql`select * from sample where id = ${sampleId(2)} and words is null`;
});

await tell('ids', async () => {
  const rows = await sql`insert into remark ${sql({ cust_id: kim, body: 'first' })} returning id`;
  return await sql`select body from remark where cust_id = ${kim} and id = ${rows[0].id}`;
});

await tell('own key', async () => {
  const row = { cust_id: pia, name: 'Saved' };
  return (await sql`update customer set ${sql(row)} where cust_id = ${pia}`).count;
});

await tell(
  'any array',
  () => sql`select cust_id, name from customer where cust_id = any(${customers}) order by 1`,
);

await tell(
  'in list',
  () => sql`select cust_id from customer where cust_id in ${sql([adam, pia, 'nobody'])} order by 1`,
);

await tell(
  'exists',
  () => sql`select exists (select 1 from customer where cust_id = ${kim}) as here,
    exists (select from customer where country = ${'nowhere'}) as there`,
);

await tell('page', () =>
  Promise.all([
    sql`select count(*) from reservation where payment > ${100}`,
    sql`select reserve_id from reservation where cust_id not like '%-%-%'
      order by payment, reserve_id limit ${5} offset ${10}`,
  ]),
);

await tell(
  'report',
  () => sql`select item_id, sum(payment), avg(payment)::numeric(10, 2), count(*)::int
    from reservation where date < ${'2025-01-01'} group by 1 order by 1`,
);

await tell(
  'join',
  () => sql`select name, payment, title from customer join reservation using (cust_id)
    join item using (item_id) where cust_id = ${'Kim-01'} order by reserve_id limit 3`,
);

await tell('upsert', async () => {
  const upsert = (
    text,
  ) => sql`insert into customer values (${`Up-${name}`}, ${text}, 'upsert', now())
    on conflict (cust_id) do update set name = excluded.name returning name`;
  return [await upsert('one'), await upsert('two')];
});

await tell('lock', () =>
  sql.begin(async (tx) => {
    const rows = await tx`select name from customer where cust_id = ${kim} for update`;
    const other = sql`select name from customer where cust_id = ${kim} for update nowait`;
    return [rows, await failureOf(other)];
  }),
);

await tell('savepoint', () =>
  sql.begin(async (tx) => {
    await tx`update customer set name = 'before' where cust_id = ${adam}`;
    const failed = tx.savepoint((inner) => inner`insert into customer values (${kim})`);
    const error = await failureOf(failed);
    await tx.savepoint((inner) => inner`update customer set name = 'after' where cust_id = ${kim}`);
    return [
      error,
      await tx`select name from customer where cust_id in (${adam}, ${kim}) order by 1`,
    ];
  }),
);

await tell('transaction', async () => {
  const insert = (tx) =>
    customers.map(
      (id, index) => tx`insert into reservation values (${index}, ${id}, 10, 1, now())`,
    );
  const error = await failureOf(
    sql.begin(async (tx) => {
      await Promise.all(insert(tx));
      throw new Error('changed my mind');
    }),
  );
  await sql.begin((tx) => insert(tx));
  return [
    error,
    await sql`select count(*), sum(payment) from reservation where cust_id in ${sql(customers)}`,
  ];
});

await tell('batch', async () => {
  const insert = (index) => sql`insert into reservation
    values (${100 + index}, ${customers[index % 4]}, ${index}, 2, now()) returning reserve_id`;
  const results = await Promise.all(Array.from({ length: 40 }, (_, index) => insert(index)));
  const several = await sql`select 1 as one; select count(*) from item`.simple();
  return [results.map(([row]) => row.reserve_id), several];
});

await tell('stream', async () => {
  const sizes = [];
  let count = 0;
  const query = sql`select cust_id, reserve_id from reservation
    where cust_id not like ${'%-%-%'} order by reserve_id, cust_id`;
  for await (const rows of query.cursor(300)) sizes.push(rows.length, rows[0]);
  await sql`select * from reservation where cust_id not like ${'%-%-%'}`.forEach(() => {
    count += 1;
  });
  return [sizes, count];
});

await tell('prepared', async () => {
  const seen = [];
  for (let round = 0; round < 8; round++) {
    seen.push(...(await sql`select country from customer where cust_id = ${customers[round % 4]}`));
  }
  return seen;
});

await tell('errors', () =>
  Promise.all(
    [
      sql`insert into customer values (${kim}, 'again', ${name}, now())`,
      sql`insert into reservation values (1, ${kim}, 1, 999, now())`,
      sql`insert into sample (id, client, whole) values (${sampleId(9)}, ${name}, -1)`,
      sql`select * from nowhere`,
      sql`select nothing from customer`,
      sql`selec`,
      sql`select 1 / ${0}::int`,
    ].map(failureOf),
  ),
);

await tell('cancel', async () => {
  const seen = [];
  for (const text of ['select pg_sleep(30)', own.longReport]) {
    const query = sql.unsafe(text);
    setTimeout(() => query.cancel(), 300);
    seen.push(await failureOf(query.execute()), await sql`select 1 as one`);
  }
  return seen;
});

await tell('copy', async () => {
  const input = await sql`copy note (body) from stdin`.writable();
  await pipeline(Readable.from([`${name} one\n`, `${name} two\n`]), input);
  const parts = [];
  const copyOut = sql.unsafe(
    `copy (select body from note where body like '${name}%' order by 1) to stdout`,
  );
  for await (const part of await copyOut.readable()) parts.push(part.toString());
  return parts.join('');
});

await sql.end();
