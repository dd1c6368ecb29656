import 'reflect-metadata';
import { DataSource, EntitySchema, In, TableColumn } from 'typeorm';
import { ask, connectionText, inFolder, npmCommand, shapeOf } from './migration-command.mjs';
import * as own from './tell.mjs';

const { client: name, customers, failureOf, sampleId, sampleRow, tell } = own;
const [adam, kim, pia] = customers;

const Customer = new EntitySchema({
  name: 'Customer',
  tableName: 'customer',
  columns: {
    custId: { name: 'cust_id', type: 'text', primary: true },
    name: { type: 'text' },
    country: { type: 'text' },
    created: { type: 'date' },
  },
  relations: {
    reservations: { type: 'one-to-many', target: 'Reservation', inverseSide: 'customer' },
  },
});
const Reservation = new EntitySchema({
  name: 'Reservation',
  tableName: 'reservation',
  columns: {
    custId: { name: 'cust_id', type: 'text', primary: true },
    reserveId: { name: 'reserve_id', type: 'bigint', primary: true },
    payment: { type: 'numeric' },
    itemId: { name: 'item_id', type: 'int' },
    date: { type: 'date' },
  },
  relations: {
    customer: {
      type: 'many-to-one',
      target: 'Customer',
      joinColumn: { name: 'cust_id' },
      inverseSide: 'reservations',
    },
  },
});
const Remark = new EntitySchema({
  name: 'Remark',
  tableName: 'remark',
  columns: {
    custId: { name: 'cust_id', type: 'text', primary: true },
    id: { type: 'bigint', primary: true, generated: 'increment' },
    body: { type: 'text' },
  },
});
const Sample = new EntitySchema({
  name: 'Sample',
  tableName: 'sample',
  columns: {
    id: { type: 'uuid', primary: true },
    client: { type: 'text' },
    big: { type: 'bigint', nullable: true },
    exact: { type: 'numeric', nullable: true },
    flag: { type: 'boolean', nullable: true },
    words: { type: 'text', nullable: true },
    bytes: { type: 'bytea', nullable: true },
    instant: { type: 'timestamptz', nullable: true },
    tree: { type: 'jsonb', nullable: true },
    numbers: { type: 'int', array: true, nullable: true },
  },
});

class AddNote1700000000000 {
  async up(session) {
    await session.query('create table typeorm_note (id serial primary key, body text)');
    await session.query('create index on typeorm_note (body)');
  }
  async down(session) {
    await session.query('drop table typeorm_note');
  }
}

const { user: username, ...rest } = own.connection;
const source = new DataSource({
  type: 'postgres',
  ...rest,
  username,
  ssl: own.ssl,
  entities: [Customer, Reservation, Remark, Sample],
  migrations: [AddNote1700000000000],
  installExtensions: false,
});

own.tellVersion('typeorm');

await tell('connect', async () => {
  await source.initialize();
  return source.isInitialized;
});
const [customerRows, reservations, remarks, samples] = [Customer, Reservation, Remark, Sample].map(
  (entity) => source.getRepository(entity),
);

await tell('introspection', async () => {
  const session = source.createQueryRunner();
  const table = await session.getTable('reservation');
  await session.release();
  return [
    table.columns.map((column) => [column.name, column.type, column.isNullable, column.isPrimary]),
    table.foreignKeys.map((key) => [key.columnNames, key.referencedTableName]),
  ];
});

await tell('migration', async () => {
  const up = await source.runMigrations();
  const rows = await source.query("insert into typeorm_note (body) values ('x') returning *");
  await source.undoLastMigration();
  return [up.map((migration) => migration.name), rows];
});

await tell('sharded migration', async () => {
  const session = source.createQueryRunner();
  const column = new TableColumn({ name: 'typeorm_extra', type: 'int', default: 5 });
  await session.addColumn('reservation', column);
  const rows = await session.query(
    'select sum(typeorm_extra) from reservation where cust_id = any($1)',
    [['Adam-01', 'Zoe-01']],
  );
  await session.changeColumn(
    'reservation',
    column,
    new TableColumn({ name: 'typeorm_other', type: 'int' }),
  );
  const table = await session.getTable('reservation');
  await session.dropColumn('reservation', 'typeorm_other');
  await session.release();
  return [rows, table.columns.map((each) => each.name)];
});

await tell('migration command', async () => {
  const { user: userName, ...given } = own.connection;
  const files = {
    'package.json': '{ "type": "commonjs" }',
    'source.js': `const { DataSource, EntitySchema } = require('typeorm');
      const { ssl } = ${connectionText};
      const text = { type: 'varchar', length: 80 };
      const page = { name: 'typeorm_page', columns: {
        id: { type: 'int', primary: true, generated: 'increment' },
        title: { ...text, unique: true },
        state: { type: 'enum', enum: ['new', 'done'], default: 'new' },
        made: { type: 'timestamptz', createDate: true },
      } };
      const part = { name: 'typeorm_part', columns: {
        id: { type: 'uuid', primary: true, generated: 'uuid' },
        price: { type: 'numeric', precision: 10, scale: 2, nullable: true },
      }, relations: { page: { type: 'many-to-one', target: 'typeorm_page', onDelete: 'CASCADE' } } };
      const more = process.env.TYPEORM_MORE === '1';
      if (more) part.columns.note = { ...text, nullable: true };
      module.exports = { source: new DataSource({ type: 'postgres', ssl, ...${JSON.stringify(given)},
        username: '${userName}', migrationsTableName: 'typeorm_command_log', installExtensions: false, uuidExtension: 'pgcrypto',
        entities: [page, part].map((each) => new EntitySchema(each)), migrations: ['migrations/*.js'] }) };`,
    'migrations/1-sharded.js': `exports.Sharded1700000000000 = class Sharded1700000000000 {
      async up(session) {
        await session.query("alter table reservation add typeorm_code varchar default 'none'");
        await session.query('create index typeorm_by_code on reservation (typeorm_code)');
        await session.query("update reservation set typeorm_code = 'kim' where cust_id = 'Kim-01'");
      }
      async down(session) {
        await session.query('alter table reservation drop typeorm_code');
      }
    };`,
  };
  return await inFolder(files, async (folder) => {
    const typeorm = (...words) => npmCommand(folder, 'typeorm', ...words, '-d', 'source.js');
    await typeorm('migration:run');
    const sharded = await shapeOf('public.reservation');
    const coded = await ask(
      "select typeorm_code, count(*) from reservation where date < '2025-01-01' group by 1 order by 1",
    );
    await typeorm('migration:revert');
    // Entities against what is there; all other tables are nobody's.
    await typeorm('schema:sync');
    const [made, log] = [await shapeOf('public.typeorm%'), await typeorm('schema:log')];
    process.env.TYPEORM_MORE = '1';
    const more = await typeorm('schema:log');
    await typeorm('schema:sync');
    delete process.env.TYPEORM_MORE;
    const extended = await shapeOf('public.typeorm%');
    await ask(
      'drop table typeorm_part, typeorm_page, typeorm_command_log',
      'drop type typeorm_page_state_enum',
    );
    return [sharded, coded, made, log, more, extended, await shapeOf('public.reservation')];
  });
});

await tell('crud', async () => {
  const rows = customers.map((custId) => ({
    custId,
    name: 'x',
    country: name,
    created: '2024-01-02',
  }));
  const saved = await customerRows.save(rows);
  const one = await customerRows.findOneBy({ custId: kim });
  one.name = 'New';
  const again = await customerRows.save(one);
  const updated = await customerRows.update({ custId: pia }, { name: 'Changed' });
  const found = await customerRows.find({ where: { country: name }, order: { custId: 'ASC' } });
  const gone = await customerRows.delete({ custId: `Gone-${name}` });
  return [saved, again, updated.affected, found, gone.affected];
});

await tell('types', async () => {
  const { big, exact, flag, words, bytes, instant, tree, numbers } = sampleRow;
  const row = { big, exact, flag, words, bytes, instant: new Date(instant), tree, numbers };
  await samples.save({ id: sampleId(1), client: name, ...row });
  return await samples.findOneBy({ id: sampleId(1) });
});

await tell('ids', async () => {
  const { id } = await remarks.save({ custId: kim, body: 'first' });
  return (await remarks.findOneBy({ custId: kim, id })).body;
});

await tell('own key', async () => {
  const update = source.createQueryBuilder().update(Customer).set({ custId: pia, name: 'Saved' });
  return (await update.where({ custId: pia }).execute()).affected;
});

await tell('in list', () =>
  customerRows.find({ where: { custId: In([adam, pia]) }, order: { custId: 'DESC' } }),
);

await tell('exists', async () => [
  await customerRows.exists({ where: { custId: kim } }),
  await customerRows.existsBy({ country: 'nowhere' }),
]);

await tell('page', () =>
  customerRows.findAndCount({
    where: { country: 'Seed' },
    order: { created: 'ASC' },
    take: 5,
    skip: 10,
  }),
);

// Pages with a joined relation: a statement for the distinct keys, a second one for their rows.
await tell('join', async () => [
  await customerRows.findOne({
    where: { custId: 'Kim-01' },
    relations: { reservations: true },
    order: { reservations: { reserveId: 'ASC' } },
  }),
  await customerRows.find({
    where: { country: 'Seed' },
    relations: { reservations: true },
    order: { custId: 'ASC', reservations: { reserveId: 'ASC' } },
    take: 3,
  }),
]);

await tell('report', () =>
  reservations
    .createQueryBuilder('r')
    .select('r.itemId', 'item')
    .addSelect('SUM(r.payment)', 'revenue')
    .where("r.date < '2025-01-01'")
    .groupBy('r.itemId')
    .orderBy('r.itemId')
    .getRawMany(),
);

await tell('upsert', async () => {
  const row = { custId: `Up-${name}`, country: 'upsert', created: '2024-01-01' };
  for (const text of ['one', 'two']) await customerRows.upsert({ ...row, name: text }, ['custId']);
  return await customerRows.findBy({ custId: `Up-${name}` });
});

await tell('lock', () =>
  source.transaction(async (tx) => {
    const lock = (session, onLocked) =>
      session
        .getRepository(Customer)
        .findOne({ where: { custId: kim }, lock: { mode: 'pessimistic_write', onLocked } });
    const rows = await lock(tx);
    return [rows, await failureOf(source.transaction((other) => lock(other, 'nowait')))];
  }),
);

await tell('savepoint', () =>
  source.transaction(async (tx) => {
    await tx.getRepository(Customer).update({ custId: adam }, { name: 'before' });
    const error = await failureOf(
      tx.transaction((inner) =>
        inner
          .getRepository(Customer)
          .insert({ custId: kim, name: 'x', country: 'x', created: '2024-01-01' }),
      ),
    );
    await tx.getRepository(Customer).update({ custId: kim }, { name: 'after' });
    return [
      error,
      await tx
        .getRepository(Customer)
        .find({ where: { custId: In([adam, kim]) }, order: { name: 'ASC' } }),
    ];
  }),
);

await tell('batch', async () => {
  const rows = Array.from({ length: 100 }, (_, index) => ({
    reserveId: String(100 + index),
    custId: customers[index % 4],
    payment: index,
    itemId: 2,
    date: '2025-02-02',
  }));
  await reservations.save(rows, { chunk: 40 });
  return await reservations.countBy({ custId: In(customers) });
});

await tell('stream', async () => {
  const rows = await reservations.createQueryBuilder('r').where("r.custId like 'Kim-0_'").stream();
  let total = 0;
  for await (const row of rows) total += Number(row.r_reserve_id);
  return total;
});

await tell('errors', () =>
  Promise.all([
    failureOf(customerRows.insert({ custId: kim, name: 'x', country: 'x', created: '2024-01-01' })),
    failureOf(source.query('select * from nowhere')),
    failureOf(source.query('select 1 / $1::int', [0])),
  ]),
);

await source.destroy();
