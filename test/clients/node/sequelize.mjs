import { DataTypes, Op, QueryTypes, Sequelize } from 'sequelize';
import {
  ask,
  command,
  connectionText,
  inFolder,
  npmCommand,
  shapeOf,
} from './migration-command.mjs';
import * as own from './tell.mjs';

const { client: name, customers, failureOf, sampleId, sampleRow, tell } = own;
const [adam, kim, pia] = customers;

const { user: username, ...rest } = own.connection;
const sequelize = new Sequelize({
  dialect: 'postgres',
  ...rest,
  username,
  dialectOptions: { ssl: own.ssl },
  logging: false,
  define: { timestamps: false, freezeTableName: true },
});
const Customer = sequelize.define('customer', {
  cust_id: { type: DataTypes.TEXT, primaryKey: true },
  name: { type: DataTypes.TEXT, allowNull: false },
  country: { type: DataTypes.TEXT, allowNull: false },
  created: { type: DataTypes.DATEONLY, allowNull: false },
});
const Reservation = sequelize.define('reservation', {
  cust_id: { type: DataTypes.TEXT, primaryKey: true },
  reserve_id: { type: DataTypes.BIGINT, primaryKey: true },
  payment: DataTypes.DECIMAL(10, 2),
  item_id: DataTypes.INTEGER,
  date: DataTypes.DATEONLY,
});
const Remark = sequelize.define('remark', {
  cust_id: { type: DataTypes.TEXT, primaryKey: true },
  id: { type: DataTypes.BIGINT, primaryKey: true, autoIncrement: true },
  body: DataTypes.TEXT,
});
const Sample = sequelize.define('sample', {
  id: { type: DataTypes.UUID, primaryKey: true },
  client: DataTypes.TEXT,
  big: DataTypes.BIGINT,
  exact: DataTypes.DECIMAL,
  flag: DataTypes.BOOLEAN,
  words: DataTypes.TEXT,
  bytes: DataTypes.BLOB,
  day: DataTypes.DATEONLY,
  instant: DataTypes.DATE,
  tree: DataTypes.JSONB,
  mood: DataTypes.ENUM('sad', 'ok', 'happy'),
  numbers: DataTypes.ARRAY(DataTypes.INTEGER),
});
Customer.hasMany(Reservation, { foreignKey: 'cust_id' });
Reservation.belongsTo(Customer, { foreignKey: 'cust_id' });

own.tellVersion('sequelize');

await tell('connect', async () => {
  await sequelize.authenticate();
  return await sequelize.query('select current_user', { type: QueryTypes.SELECT });
});

await tell('introspection', async () => {
  const schema = sequelize.getQueryInterface();
  const tables = await schema.showAllTables();
  const indexes = await schema.showIndex('reservation');
  return [
    tables.filter((table) => ['customer', 'reservation'].includes(table)).sort(),
    await schema.describeTable('reservation'),
    indexes.map((index) => [index.name, index.primary, index.unique]).sort(),
  ];
});

await tell('migration', async () => {
  const Note = sequelize.define('sequelize_note', {
    id: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true },
    body: { type: DataTypes.STRING, unique: true },
  });
  await Note.sync();
  await sequelize
    .getQueryInterface()
    .addColumn('sequelize_note', 'extra', { type: DataTypes.INTEGER, defaultValue: 5 });
  await Note.create({ body: 'x' });
  const rows = await sequelize.query('select * from sequelize_note', { type: QueryTypes.SELECT });
  await Note.drop();
  return rows;
});

const sequelizeMigrations = {
  'migrations/1-home.js': `exports.up = async (schema, types) => {
      await schema.createTable('sequelize_page', {
        id: { type: types.INTEGER, primaryKey: true, autoIncrement: true },
        title: { type: types.STRING(80), allowNull: false, unique: true },
        state: { type: types.ENUM('new', 'done'), defaultValue: 'new' },
      });
      await schema.createTable('sequelize_part', {
        id: { type: types.INTEGER, primaryKey: true, autoIncrement: true },
        page_id: { type: types.INTEGER, references: { model: 'sequelize_page', key: 'id' }, onDelete: 'cascade' },
      });
      await schema.addIndex('sequelize_part', ['page_id'], { name: 'sequelize_by_page' });
    };
    exports.down = async (schema) => {
      await schema.dropTable('sequelize_part');
      await schema.dropTable('sequelize_page');
      await schema.sequelize.query('drop type "enum_sequelize_page_state"');
    };`,
  'migrations/2-sharded.js': `exports.up = (schema, types) => schema.sequelize.transaction(async (transaction) => {
      await schema.addColumn('reservation', 'sequelize_code', { type: types.STRING, defaultValue: 'none' }, { transaction });
      await schema.addIndex('reservation', ['sequelize_code'], { name: 'sequelize_by_code', transaction });
      await schema.bulkUpdate('reservation', { sequelize_code: 'kim' }, { cust_id: 'Kim-01' }, { transaction });
    });
    exports.down = (schema) => schema.removeColumn('reservation', 'sequelize_code');`,
};

/** What migrations have made, and rows in it. */
async function seenOfMigrations() {
  return [
    await shapeOf('public.sequelize%'),
    await shapeOf('public.reservation'),
    await ask(
      "select sequelize_code, count(*) from reservation where date < '2025-01-01' group by 1 order by 1",
    ),
    await ask("insert into sequelize_page (title) values ('one') returning *"),
  ];
}

await tell('migration command', async () => {
  const { user, ...given } = own.connection;
  const options = { dialect: 'postgres', ...given, username: user, logging: false };
  const files = {
    ...sequelizeMigrations,
    'package.json': '{ "type": "commonjs" }',
    'config.js': `module.exports = { development: { ...${JSON.stringify(options)}, dialectOptions: { ssl: ${connectionText}.ssl } } };`,
    '.sequelizerc': `module.exports = { config: 'config.js', 'migrations-path': 'migrations', 'seeders-path': 'seeders' };`,
    'seeders/1-first.js': `exports.up = (schema) => schema.bulkInsert('sequelize_page', [{ title: 'x' }, { title: 'y' }]);`,
    'umzug.js': `const { Sequelize } = require('sequelize');
      const { Umzug, SequelizeStorage } = require('umzug');
      const sequelize = new Sequelize(require('./config.js').development);
      const umzug = new Umzug({
        migrations: { glob: 'migrations/*.js', resolve: ({ name, path, context }) => {
          const { up, down } = require(path);
          return { name, up: () => up(context, Sequelize), down: () => down(context, Sequelize) };
        } },
        context: sequelize.getQueryInterface(),
        storage: new SequelizeStorage({ sequelize, modelName: 'umzug_log', tableName: 'umzug_log' }),
      });
      umzug.runAsCLI().then((isWell) => sequelize.close().then(() => process.exit(isWell ? 0 : 1)));`,
  };
  return await inFolder(files, async (folder) => {
    const sequelizeDo = (...words) => npmCommand(folder, 'sequelize-cli', ...words);
    await sequelizeDo('db:migrate');
    await sequelizeDo('db:migrate');
    await sequelizeDo('db:seed:all');
    const seen = [await seenOfMigrations()];
    await sequelizeDo('db:migrate:status');
    await sequelizeDo('db:migrate:undo:all');
    const umzug = (...words) => command(folder, process.execPath, ['umzug.js', ...words]);
    await umzug('up', '--step', '1');
    await umzug('up');
    seen.push(await seenOfMigrations(), JSON.parse(await umzug('executed', '--json')).length);
    await umzug('down', '--to', '0');
    const left = await ask(
      "select relname from pg_class where relname ~ 'Sequelize|umzug|sequelize' order by 1",
    );
    await ask('drop table umzug_log, "SequelizeMeta"');
    return [seen, left, await shapeOf('public.reservation')];
  });
});

await tell('crud', async () => {
  const rows = customers.map((cust_id) => ({
    cust_id,
    name: 'x',
    country: name,
    created: '2024-01-02',
  }));
  const inserted = await Customer.bulkCreate(rows);
  const one = await Customer.findByPk(kim);
  one.name = 'New';
  await one.save();
  const [updated] = await Customer.update({ name: 'Changed' }, { where: { cust_id: pia } });
  const found = await Customer.findAll({ where: { country: name }, order: ['cust_id'] });
  return [
    inserted,
    one,
    updated,
    found,
    await Customer.destroy({ where: { cust_id: `Gone-${name}` } }),
  ];
});

await tell('types', async () => {
  const { big, exact, flag, words, bytes, day, instant, tree, mood, numbers } = sampleRow;
  const row = { big, exact, flag, words, bytes, day, instant, tree, mood, numbers };
  await Sample.create({ id: sampleId(1), client: name, ...row });
  return await Sample.findByPk(sampleId(1));
});

await tell('ids', async () => {
  const { id } = await Remark.create({ cust_id: kim, body: 'first' });
  return [typeof id, (await Remark.findOne({ where: { cust_id: kim, id } })).body];
});

await tell(
  'own key',
  async () =>
    (await Customer.update({ cust_id: pia, name: 'Saved' }, { where: { cust_id: pia } }))[0],
);

await tell('any array', () =>
  Customer.findAll({
    where: { cust_id: { [Op.eq]: { [Op.any]: customers } } },
    order: ['cust_id'],
  }),
);

await tell('in list', () =>
  Customer.findAll({ where: { cust_id: [adam, pia] }, order: [['cust_id', 'DESC']] }),
);

await tell('page', () =>
  Customer.findAndCountAll({
    where: { country: 'Seed' },
    order: ['created'],
    limit: 5,
    offset: 10,
  }),
);

await tell('report', () =>
  Reservation.findAll({
    attributes: ['item_id', [sequelize.fn('sum', sequelize.col('payment')), 'revenue']],
    where: { date: { [Op.lt]: '2025-01-01' } },
    group: 'item_id',
    order: ['item_id'],
  }),
);

await tell('join', async () => [
  await Customer.findByPk('Kim-01', {
    include: Reservation,
    order: [[Reservation, 'reserve_id', 'ASC']],
  }),
  // A LIMIT below the join: a subquery in FROM.
  await Customer.findAll({
    where: { country: 'Seed' },
    include: Reservation,
    limit: 3,
    order: ['cust_id', [Reservation, 'reserve_id', 'ASC']],
  }),
]);

await tell('upsert', async () => {
  const row = { cust_id: `Up-${name}`, country: 'upsert', created: '2024-01-01' };
  return [
    await Customer.upsert({ ...row, name: 'one' }),
    await Customer.upsert({ ...row, name: 'two' }),
  ];
});

await tell('lock', () =>
  sequelize.transaction(async (transaction) => {
    const row = await Customer.findByPk(kim, { transaction, lock: transaction.LOCK.UPDATE });
    const other = sequelize.transaction((second) =>
      sequelize.query('select 1 from customer where cust_id = ? for update nowait', {
        replacements: [kim],
        transaction: second,
      }),
    );
    return [row, await failureOf(other)];
  }),
);

await tell('savepoint', () =>
  sequelize.transaction(async (transaction) => {
    await Customer.update({ name: 'before' }, { where: { cust_id: adam }, transaction });
    const inner = sequelize.transaction({ transaction }, (deeper) =>
      Customer.create(
        { cust_id: kim, name: 'x', country: 'x', created: '2024-01-01' },
        { transaction: deeper },
      ),
    );
    const [code] = await failureOf(inner);
    await Customer.update({ name: 'after' }, { where: { cust_id: kim }, transaction });
    return [
      code,
      await Customer.findAll({ where: { cust_id: [adam, kim] }, order: ['name'], transaction }),
    ];
  }),
);

await tell('transaction', async () => {
  const isolationLevel = Sequelize.Transaction.ISOLATION_LEVELS.READ_COMMITTED;
  await sequelize.transaction({ isolationLevel }, (transaction) =>
    Promise.all(
      customers.map((cust_id, reserve_id) =>
        Reservation.create(
          { cust_id, reserve_id, payment: 10, item_id: 1, date: '2025-01-01' },
          { transaction },
        ),
      ),
    ),
  );
  return await Reservation.sum('payment', { where: { cust_id: customers } });
});

await tell('errors', async () => {
  const failing = [
    sequelize.query('select * from nowhere'),
    sequelize.query('select 1 / $1::int', { bind: [0] }),
    sequelize.query('insert into customer values ($1)', { bind: [kim] }),
  ];
  return await Promise.all(failing.map(failureOf));
});

await sequelize.close();
