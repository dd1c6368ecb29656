import knexOf from 'knex';
import { Model } from 'objection';
import * as own from './tell.mjs';

const { client: name, customers, failureOf, tell } = own;
const [adam, kim, pia] = customers;

const knex = knexOf({
  client: 'pg',
  connection: { ...own.connection, ssl: own.ssl },
  pool: { min: 0, max: 3 },
});
Model.knex(knex);

class Reservation extends Model {
  static tableName = 'reservation';
  static idColumn = ['cust_id', 'reserve_id'];
}
class Customer extends Model {
  static tableName = 'customer';
  static idColumn = 'cust_id';
  static relationMappings = {
    reservations: {
      relation: Model.HasManyRelation,
      modelClass: Reservation,
      join: { from: 'customer.cust_id', to: 'reservation.cust_id' },
    },
  };
}
class Remark extends Model {
  static tableName = 'remark';
  static idColumn = 'id';
}

own.tellVersion('objection');

await tell('introspection', async () => await Customer.fetchTableMetadata());

await tell('crud', async () => {
  const rows = customers.map((cust_id) => ({
    cust_id,
    name: 'x',
    country: name,
    created: '2024-01-02',
  }));
  const inserted = await Customer.query().insert(rows);
  const one = await Customer.query().findById(kim);
  const patched = await one.$query().patchAndFetch({ name: 'New' });
  const updated = await Customer.query().findById(pia).patch({ name: 'Changed' }).returning('*');
  const gone = await Customer.query().deleteById(`Gone-${name}`);
  return [
    inserted,
    patched,
    updated,
    gone,
    await Customer.query().where({ country: name }).orderBy('cust_id'),
  ];
});

await tell('ids', async () => {
  const { id } = await Remark.query().insert({ cust_id: kim, body: 'first' });
  return await Remark.query().select('body').findOne({ cust_id: kim, id });
});

// update() writes every column, the key too.
await tell('own key', async () => {
  const one = await Customer.query().findById(pia);
  return await one.$query().update({ ...one, name: 'Saved' });
});

await tell('in list', () => Customer.query().findByIds([adam, pia]).orderBy('cust_id'));

await tell('page', () => Customer.query().where({ country: 'Seed' }).orderBy('created').page(2, 5));

await tell('join', async () => {
  const first = (builder) => builder.orderBy('reserve_id').where('payment', '>', 100);
  const seeds = Customer.query()
    .whereIn('customer.cust_id', ['Kim-01', 'Zoe-02'])
    .orderBy('customer.cust_id');
  return [
    await seeds.clone().withGraphFetched('reservations').modifyGraph('reservations', first),
    await seeds.clone().withGraphJoined('reservations').orderBy('reservations.reserve_id'),
    await Customer.relatedQuery('reservations').for('Adam-01').orderBy('reserve_id').limit(2),
  ];
});

await tell('transaction', async () => {
  const graph = { cust_id: `Graph-${name}`, name: 'x', country: 'graph', created: '2024-01-01' };
  const reservations = [1, 2].map((reserve_id) => ({
    reserve_id,
    payment: 5,
    item_id: 1,
    date: '2025-01-01',
  }));
  await Customer.transaction((tx) => Customer.query(tx).insertGraph({ ...graph, reservations }));
  const error = await failureOf(
    Customer.transaction(async (tx) => {
      await Customer.query(tx).findById(adam).patch({ name: 'never' });
      await Customer.query(tx).findById(kim).patch({ name: 'never' });
      await Customer.query(tx).insert({ ...graph, cust_id: pia });
    }),
  );
  return [
    error,
    await Customer.query()
      .findByIds([adam, kim, `Graph-${name}`])
      .withGraphFetched('reservations')
      .orderBy('cust_id'),
  ];
});

await tell('errors', () => failureOf(Customer.query().select('nothing')));

await knex.destroy();
