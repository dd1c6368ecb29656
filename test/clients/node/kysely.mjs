import { CompiledQuery, Kysely, PostgresDialect, sql } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import pg from 'pg';
import Cursor from 'pg-cursor';
import * as own from './tell.mjs';

const { client: name, customers, failureOf, sampleId, sampleRow, tell } = own;
const [adam, kim, pia] = customers;

const pool = new pg.Pool({ ...own.connection, ssl: own.ssl, max: 3 });
const db = new Kysely({ dialect: new PostgresDialect({ pool, cursor: Cursor }) });

own.tellVersion('kysely');

await tell('introspection', async () => {
  const tables = await db.introspection.getTables();
  return tables
    .filter((table) => ['customer', 'reservation', 'note', 'item'].includes(table.name))
    .map(({ name: table, columns }) => [table, columns]);
});

await tell('migration', async () => {
  const { schema } = db;
  const table = 'kysely_note';
  await schema
    .createTable(table)
    .addColumn('id', 'serial', (column) => column.primaryKey())
    .addColumn('body', 'text', (column) => column.notNull())
    .execute();
  await schema
    .alterTable(table)
    .addColumn('extra', 'integer', (column) => column.defaultTo(5))
    .execute();
  await schema.createIndex('kysely_note_body').on(table).column('body').execute();
  await db.insertInto(table).values({ body: 'x' }).execute();
  const rows = await db.selectFrom(table).selectAll().execute();
  await schema.dropTable(table).execute();
  return rows;
});

await tell('sharded migration', () =>
  db.transaction().execute(async ({ schema }) => {
    await schema.alterTable('customer').addColumn('kysely_extra', 'text').execute();
    await schema.alterTable('customer').renameColumn('kysely_extra', 'kysely_other').execute();
    await schema.createIndex('kysely_index').on('customer').column('kysely_other').execute();
    const tables = await db.introspection.getTables();
    await schema.alterTable('customer').dropColumn('kysely_other').execute();
    return tables.find((table) => table.name === 'customer').columns.length;
  }),
);

await tell('crud', async () => {
  const rows = customers.map((cust_id) => ({
    cust_id,
    name: 'x',
    country: name,
    created: '2024-01-02',
  }));
  const inserted = await db.insertInto('customer').values(rows).returningAll().execute();
  const updated = await db
    .updateTable('customer')
    .set({ name: 'New' })
    .where('cust_id', '=', kim)
    .executeTakeFirst();
  const read = await db
    .selectFrom('customer')
    .selectAll()
    .where('country', '=', name)
    .orderBy('cust_id')
    .execute();
  const gone = await db
    .deleteFrom('customer')
    .where('cust_id', '=', `Gone-${name}`)
    .executeTakeFirst();
  return [inserted, updated, read, gone];
});

await tell('types', async () => {
  const row = { id: sampleId(1), client: name, ...sampleRow };
  return await db.insertInto('sample').values(row).returningAll().executeTakeFirstOrThrow();
});

await tell('ids', async () => {
  const { id } = await db
    .insertInto('remark')
    .values({ cust_id: kim, body: 'first' })
    .returning('id')
    .executeTakeFirstOrThrow();
  return await db
    .selectFrom('remark')
    .select('body')
    .where('cust_id', '=', kim)
    .where('id', '=', id)
    .execute();
});

await tell('own key', () =>
  db
    .updateTable('customer')
    .set({ cust_id: pia, name: 'Saved' })
    .where('cust_id', '=', pia)
    .executeTakeFirst(),
);

await tell('any array', () =>
  db
    .selectFrom('customer')
    .select(['cust_id', 'name'])
    .where((eb) => eb('cust_id', '=', eb.fn.any(eb.val(customers))))
    .orderBy('cust_id')
    .execute(),
);

await tell('in list', () =>
  db
    .selectFrom('customer')
    .select('cust_id')
    .where('cust_id', 'in', [adam, pia])
    .orderBy('cust_id')
    .execute(),
);

await tell('exists', () =>
  db
    .selectNoFrom((eb) => [
      eb.exists(eb.selectFrom('customer').select('cust_id').where('cust_id', '=', kim)).as('here'),
      eb
        .exists(eb.selectFrom('customer').select('cust_id').where('country', '=', 'nowhere'))
        .as('there'),
    ])
    .execute(),
);

await tell('page', () =>
  Promise.all([
    db
      .selectFrom('customer')
      .select((eb) => eb.fn.countAll().as('total'))
      .where('country', '=', 'Seed')
      .execute(),
    db
      .selectFrom('customer')
      .select('cust_id')
      .where('country', '=', 'Seed')
      .orderBy('created', 'desc')
      .limit(5)
      .offset(10)
      .execute(),
  ]),
);

await tell('report', () =>
  db
    .selectFrom('reservation')
    .innerJoin('item', 'item.item_id', 'reservation.item_id')
    .select(({ fn }) => ['category', fn.sum('payment').as('revenue'), fn.countAll().as('count')])
    .where('date', '<', '2024-07-01')
    .groupBy('category')
    .having((eb) => eb.fn.countAll(), '>', 1)
    .orderBy('category')
    .execute(),
);

await tell('join', () =>
  db
    .selectFrom('customer')
    .select((eb) => [
      'name',
      jsonArrayFrom(
        eb
          .selectFrom('reservation')
          .select(['reserve_id', 'payment'])
          .whereRef('reservation.cust_id', '=', 'customer.cust_id')
          .orderBy('reserve_id')
          .limit(3),
      ).as('reservations'),
    ])
    .where('cust_id', 'in', ['Kim-01', 'Zoe-02', 'Adam-00'])
    .orderBy('name')
    .execute(),
);

await tell('upsert', async () => {
  const upsert = (text) =>
    db
      .insertInto('customer')
      .values({ cust_id: `Up-${name}`, name: text, country: 'upsert', created: '2024-01-01' })
      .onConflict((conflict) =>
        conflict.column('cust_id').doUpdateSet({ name: (eb) => eb.ref('excluded.name') }),
      )
      .returning('name')
      .execute();
  return [await upsert('one'), await upsert('two')];
});

await tell('lock', () =>
  db.transaction().execute(async (tx) => {
    const lock = (session) =>
      session.selectFrom('customer').select('name').where('cust_id', '=', kim).forUpdate();
    return [await lock(tx).execute(), await failureOf(lock(db).noWait().execute())];
  }),
);

await tell('savepoint', async () => {
  const tx = await db.startTransaction().execute();
  await tx.updateTable('customer').set({ name: 'before' }).where('cust_id', '=', adam).execute();
  const inner = await tx.savepoint('one').execute();
  const error = await failureOf(inner.insertInto('customer').values({ cust_id: kim }).execute());
  await inner.rollbackToSavepoint('one').execute();
  await tx.updateTable('customer').set({ name: 'after' }).where('cust_id', '=', kim).execute();
  await tx.commit().execute();
  return [
    error,
    await db
      .selectFrom('customer')
      .select('name')
      .where('cust_id', 'in', [adam, kim])
      .orderBy('name')
      .execute(),
  ];
});

await tell('transaction', async () => {
  await db
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async (tx) => {
      for (const [reserve_id, cust_id] of customers.entries()) {
        await tx
          .insertInto('reservation')
          .values({ reserve_id, cust_id, payment: 10, item_id: 1, date: '2025-01-01' })
          .execute();
      }
    });
  return await sql`select count(*), sum(payment) from reservation where cust_id = any(${customers})`.execute(
    db,
  );
});

await tell('batch', async () => {
  const rows = Array.from({ length: 200 }, (_, index) => ({
    reserve_id: 100 + index,
    cust_id: customers[index % 4],
    payment: index,
    item_id: 2,
    date: '2025-02-02',
  }));
  const result = await db.insertInto('reservation').values(rows).executeTakeFirst();
  return String(result.numInsertedOrUpdatedRows);
});

await tell('stream', async () => {
  let count = 0;
  let first = null;
  const query = db
    .selectFrom('reservation')
    .select(['cust_id', 'reserve_id'])
    .where('cust_id', 'not like', '%-%-%')
    .orderBy('reserve_id')
    .orderBy('cust_id');
  for await (const row of query.stream(150)) {
    count += 1;
    first ??= row;
  }
  return [count, first];
});

await tell('errors', () =>
  Promise.all([
    failureOf(
      db
        .insertInto('customer')
        .values({ cust_id: kim, name: 'x', country: name, created: '2024-01-01' })
        .execute(),
    ),
    failureOf(db.selectFrom('nowhere').selectAll().execute()),
    failureOf(db.executeQuery(CompiledQuery.raw('select 1 / $1::int', [0]))),
  ]),
);

await db.destroy();
