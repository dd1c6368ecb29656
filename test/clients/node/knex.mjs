import knexOf from 'knex';
import { ask, connectionText, inFolder, npmCommand, shapeOf } from './migration-command.mjs';
import * as own from './tell.mjs';

const { client: name, customers, failureOf, sampleId, sampleRow, tell } = own;
const [adam, kim, pia] = customers;

const knex = knexOf({
  client: 'pg',
  connection: { ...own.connection, ssl: own.ssl },
  pool: { min: 0, max: 3 },
});

own.tellVersion('knex');

await tell('introspection', async () => [
  await knex('reservation').columnInfo(),
  await knex.schema.hasTable('customer'),
  await knex.schema.hasColumn('customer', 'nothing'),
]);

await tell('migration', async () => {
  const step = (number, up, down) => ({ name: `${number}-step`, up, down });
  const migrationSource = {
    getMigrations: async () => [
      step(
        1,
        (db) =>
          db.schema.createTable('knex_note', (table) => {
            table.increments('id');
            table.string('body').notNullable().index();
            table.timestamps(true, true);
          }),
        (db) => db.schema.dropTable('knex_note'),
      ),
      step(
        2,
        (db) => db.schema.alterTable('knex_note', (table) => table.integer('extra').defaultTo(5)),
        (db) => db.schema.alterTable('knex_note', (table) => table.dropColumn('extra')),
      ),
    ],
    getMigrationName: (migration) => migration.name,
    getMigration: async (migration) => migration,
  };
  const config = { migrationSource };
  const up = await knex.migrate.latest(config);
  await knex('knex_note').insert({ body: 'x' });
  const rows = await knex('knex_note').select('id', 'body', 'extra');
  const down = await knex.migrate.rollback(config, true);
  return [up, rows, down];
});

await tell('sharded migration', async () => {
  await knex.schema.alterTable('reservation', (table) => table.integer('knex_extra').defaultTo(5));
  const rows = await knex('reservation').where({ cust_id: 'Zoe-01' }).min('knex_extra').count();
  await knex.schema.alterTable('reservation', (table) =>
    table.index('knex_extra', 'knex_extra_index'),
  );
  const info = await knex('reservation').columnInfo('knex_extra');
  await knex.schema.alterTable('reservation', (table) => table.dropColumn('knex_extra'));
  return [rows, info, await knex.schema.hasColumn('reservation', 'knex_extra')];
});

await tell('migration command', async () => {
  const step = (up, down) => `exports.up = async (knex) => { ${up} };
    exports.down = async (knex) => { ${down} };`;
  const files = {
    'knexfile.js': `module.exports = { client: 'pg', connection: ${connectionText},
      migrations: { tableName: 'knex_command_log' } };`,
    'package.json': '{ "type": "commonjs" }',
    'migrations/1_home.js': step(
      `await knex.schema.createTable('knex_page', (table) => {
        table.increments();
        table.string('title', 80).notNullable().unique();
        table.enu('state', ['new', 'done'], { useNative: true, enumName: 'knex_state' }).defaultTo('new');
        table.jsonb('tree');
        table.timestamps(true, true);
      });
      await knex.schema.createTable('knex_part', (table) => {
        table.increments();
        table.integer('page_id').references('knex_page.id').onDelete('cascade').index();
        table.decimal('price', 10, 2).checkPositive();
      });`,
      `await knex.schema.dropTable('knex_part').dropTable('knex_page');
       await knex.raw('drop type knex_state');`,
    ),
    'migrations/2_sharded.js': step(
      `await knex.schema.alterTable('reservation', (table) => {
        table.string('knex_code').defaultTo('none').index();
        table.check("knex_code <> ''", [], 'knex_code_check');
      });
      await knex('reservation').where('cust_id', 'Kim-01').update({ knex_code: 'kim' });`,
      `await knex.schema.alterTable('reservation', (table) => table.dropColumn('knex_code'));`,
    ),
    'seeds/first.js': `exports.seed = async (knex) => {
      const [{ id }] = await knex('knex_page').insert({ title: 'one', tree: { a: [1] } }).returning('id');
      await knex('knex_part').insert([{ page_id: id, price: 2.5 }, { page_id: id, price: 7 }]);
    };`,
  };
  return await inFolder(files, async (folder) => {
    const knexDo = (...words) => npmCommand(folder, 'knex', ...words);
    await knexDo('migrate:up');
    await knexDo('migrate:latest');
    await knexDo('migrate:latest');
    const seen = [await shapeOf('public.knex\\_p%'), await shapeOf('public.reservation')];
    await knexDo('seed:run');
    const rows = await ask(
      'select state, tree, price from knex_page p join knex_part on p.id = page_id order by price',
    );
    const coded = await ask(
      "select knex_code, count(*) from reservation where date < '2025-01-01' group by 1 order by 1",
    );
    await knexDo('migrate:down');
    await knexDo('migrate:rollback', '--all');
    await knexDo('migrate:unlock');
    const left = await shapeOf('public.reservation');
    await ask('drop table knex_command_log, knex_command_log_lock');
    return [seen, rows, coded, left, await shapeOf('public.knex\\_p%')];
  });
});

await tell('crud', async () => {
  const rows = customers.map((cust_id) => ({
    cust_id,
    name: 'x',
    country: name,
    created: '2024-01-02',
  }));
  const inserted = await knex('customer').insert(rows).returning('*');
  const updated = await knex('customer')
    .where({ cust_id: kim })
    .update({ name: 'New' }, ['name', 'country']);
  const read = await knex('customer').where('country', name).orderBy('cust_id');
  const gone = await knex('customer').where('cust_id', `Gone-${name}`).del();
  return [inserted, updated, read, gone, await knex('customer').where({ cust_id: kim }).first()];
});

await tell('types', () =>
  knex('sample')
    .insert({ id: sampleId(1), client: name, ...sampleRow })
    .returning('*'),
);

await tell('ids', async () => {
  const [{ id }] = await knex('remark').insert({ cust_id: kim, body: 'first' }).returning('id');
  return await knex('remark').where({ cust_id: kim, id }).select('body');
});

await tell('own key', () =>
  knex('customer').where({ cust_id: pia }).update({ cust_id: pia, name: 'Saved' }),
);

await tell('any array', () =>
  knex('customer')
    .whereRaw('cust_id = any(?)', [customers])
    .select('cust_id', 'name')
    .orderBy('cust_id'),
);

await tell('in list', () =>
  knex('customer')
    .whereIn('cust_id', [adam, pia, 'nobody'])
    .select('cust_id')
    .orderBy('cust_id', 'desc'),
);

await tell('exists', () =>
  knex('customer')
    .whereExists(
      knex('reservation')
        .whereRaw('reservation.cust_id = customer.cust_id')
        .where('payment', '>', 499),
    )
    .select('cust_id')
    .orderBy('cust_id'),
);

await tell('page', () =>
  Promise.all([
    knex('customer').where('country', 'Seed').count('* as total').countDistinct('name as names'),
    knex('customer')
      .where('country', 'Seed')
      .orderBy([{ column: 'created', order: 'desc' }])
      .limit(5)
      .offset(10),
  ]),
);

await tell('report', () =>
  knex('reservation')
    .join('item', 'item.item_id', 'reservation.item_id')
    .where('date', '<', '2024-07-01')
    .groupBy('category')
    .orderBy('category')
    .select('category')
    .sum('payment as revenue')
    .max('date as last'),
);

await tell('join', () =>
  knex('customer as c')
    .leftJoin('reservation as r', 'r.cust_id', 'c.cust_id')
    .whereIn('c.cust_id', [adam, 'Kim-01'])
    .orderBy(['c.cust_id', 'r.reserve_id'])
    .limit(4)
    .select('c.name', 'r.reserve_id', 'r.payment'),
);

await tell('upsert', async () => {
  const row = { cust_id: `Up-${name}`, name: 'one', country: 'upsert', created: '2024-01-01' };
  const upsert = (more) =>
    knex('customer')
      .insert({ ...row, ...more })
      .onConflict('cust_id')
      .merge()
      .returning('name');
  const ignored = await knex('item')
    .insert({ item_id: 1, title: 'x', category: 'x', price: 1 })
    .onConflict('item_id')
    .ignore();
  return [await upsert({}), await upsert({ name: 'two' }), ignored.rowCount];
});

await tell('lock', () =>
  knex.transaction(async (tx) => {
    const lock = (session) =>
      session('customer').where({ cust_id: kim }).select('name').forUpdate();
    return [await lock(tx), await failureOf(lock(knex).noWait())];
  }),
);

await tell('savepoint', () =>
  knex.transaction(async (tx) => {
    await tx('customer').where({ cust_id: adam }).update({ name: 'before' });
    const inner = tx.transaction((deeper) => deeper('customer').insert({ cust_id: kim }));
    const error = await failureOf(inner);
    await tx('customer').where({ cust_id: kim }).update({ name: 'after' });
    return [
      error,
      await tx('customer').whereIn('cust_id', [adam, kim]).select('name').orderBy('name'),
    ];
  }),
);

await tell('batch', async () => {
  const rows = Array.from({ length: 200 }, (_, index) => ({
    reserve_id: 100 + index,
    cust_id: customers[index % 4],
    payment: index,
    item_id: 2,
    date: '2025-02-02',
  }));
  const ids = await knex.batchInsert('reservation', rows, 60).returning('reserve_id');
  return ids.map(({ reserve_id }) => Number(reserve_id)).sort((a, b) => a - b);
});

await tell('stream', async () => {
  let count = 0;
  for await (const row of knex('reservation').whereNot('cust_id', 'like', '%-%-%').stream())
    count += row.cust_id.length;
  return count;
});

await tell('errors', () =>
  Promise.all(
    [
      knex('customer').insert({ cust_id: kim, name: 'x', country: name, created: '2024-01-01' }),
      knex('nowhere').select(),
      knex('customer').select('nothing'),
      knex.raw('select 1 / ?::int', [0]),
    ].map(failureOf),
  ),
);

await tell('cancel', async () => {
  const query = knex.raw('select pg_sleep(20)').timeout(300, { cancel: true });
  const { name: kind } = await query.catch((error) => error);
  return [kind, (await knex.raw('select 1 as one')).rows];
});

await knex.destroy();
