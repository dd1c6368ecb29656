import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServedCluster } from '../../support/served-cluster.ts';

const schema = `
  create table entry (id int primary key, note text);
  create table setting (name text primary key, value text);
  create table item (id int not null, number serial, note text, primary key (id, number));
  create table made (id serial primary key, note text);
  create table own (id bigint generated always as identity primary key, note text);
  create table "Odd one" ("Id" serial primary key, own_id bigint);
  create table history (id serial primary key, note text);
  create table told (id serial primary key, note text);
  create function tell() returns trigger language plpgsql as $$
    begin insert into history (note) values (new.note); return new; end $$;
  create trigger tell after insert on told for each row execute function tell();
  create function add_own() returns bigint language sql as $$
    insert into own (note) values ('by a function') returning id $$`;

let served: ServedCluster;

beforeAll(async () => {
  served = await ServedCluster.start({
    shards: ['a', 'b'],
    schema,
    workers: 1,
    settings: { max_prepared_transactions: '10' },
    distributions: ['by_int4: { type: integer, ring: { a: 1, b: 1 } }'],
    tables: [
      'item: { distribution: by_int4, key: id }',
      'made: { distribution: by_int4, key: id }',
    ],
  });
});

afterAll(() => served?.stop());

async function withClient(work: (client: Client) => Promise<void>): Promise<void> {
  const client = await served.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

async function value(client: Client, text: string, values: unknown[] = []): Promise<string> {
  const { rows } = await client.query({ text, values, rowMode: 'array' });
  return String(rows[0]?.[0]);
}

/** Others take values meanwhile, on the same server connections. */
async function disturb(): Promise<void> {
  await withClient(async (client) => {
    for (let id = 1; id < 20; id += 1) {
      await client.query(`insert into item (id) values (${id})`);
      await client.query('insert into made (note) values ($1)', ['x']);
      await client.query('insert into own (note) values ($1)', ['x']);
    }
  });
}

describe('currval() and lastval()', () => {
  it.each([
    ['on one shard', 'insert into item (id) values (7) returning number', 'item_number_seq'],
    [
      'on another one',
      'insert into item (id, note) values (8, $1) returning number',
      'item_number_seq',
    ],
    ['with the key by default', 'insert into made (note) values ($1) returning id', 'made_id_seq'],
    ['with nothing given', 'insert into made default values returning id', 'public.made_id_seq'],
    ['on the home shard', 'insert into own (note) values ($1) returning id', 'own_id_seq'],
    [
      'with DEFAULT',
      'insert into "Odd one" values (default, 1), (default, 2) returning "Id"',
      '"Odd one_Id_seq"',
    ],
  ])('are what the session has got last: %s', async (_, insert, sequence) => {
    await withClient(async (client) => {
      const values = insert.includes('$1') ? ['x'] : [];
      const { rows } = await client.query({ text: insert, values, rowMode: 'array' });
      const got = String(rows.at(-1)?.[0]);
      await disturb();
      expect(await value(client, 'select lastval()')).toBe(got);
      expect(await value(client, `SELECT CURRVAL('${sequence}')`)).toBe(got);
      expect(await value(client, 'select currval($1)', [sequence])).toBe(got);
      expect(await value(client, `select currval('${sequence}'::regclass)::int as id`)).toBe(got);
      await client.query('begin');
      const again = await client.query({ text: insert, values, rowMode: 'array' });
      const inside = String(again.rows.at(-1)?.[0]);
      expect(await value(client, 'select lastval()')).toBe(inside);
      await client.query('rollback');
      await disturb();
      expect(await value(client, `select currval('${sequence}')`)).toBe(inside);
    });
  });

  it('stand in other statements, and name columns as PostgreSQL does', async () => {
    await withClient(async (client) => {
      await client.query("insert into made (note) values ('parent')");
      const id = await value(client, "select currval(pg_get_serial_sequence('made', 'id'))");
      await client.query("insert into entry values (currval('made_id_seq'), 'child')");
      expect(await value(client, `select note from entry where id = ${id}`)).toBe('child');
      const { rows } = await client.query(
        "select note from made where id = currval('made_id_seq')",
      );
      expect(rows).toEqual([{ note: 'parent' }]);
      const { fields } = await client.query(
        "select lastval(), currval('made_id_seq')::int, currval('made_id_seq') + 1, 'lastval()' as x",
      );
      expect(fields.map(({ name, dataTypeID }) => `${name} ${dataTypeID}`)).toEqual([
        'lastval 20',
        'currval 23',
        '?column? 20',
        'x 25',
      ]);
      await client.query(`delete from entry where id = ${id}`);
    });
  });

  it('see what triggers have got', async () => {
    await withClient(async (client) => {
      const told = await value(client, "insert into told (note) values ('x') returning id");
      const last = await value(client, 'select lastval()');
      expect(await value(client, 'select max(id) from history')).toBe(last);
      expect(await value(client, "select currval('told_id_seq')")).toBe(told);
    });
  });

  it('are not defined before, in the words of PostgreSQL', async () => {
    await withClient(async (client) => {
      await client.query('select count(*) from made');
      const undefinedState = { code: '55000' };
      await expect(client.query('select lastval()')).rejects.toMatchObject({
        ...undefinedState,
        message: 'lastval is not yet defined in this session',
      });
      await expect(client.query("select currval('made_id_seq')")).rejects.toMatchObject({
        ...undefinedState,
        message: 'currval of sequence "made_id_seq" is not yet defined in this session',
      });
      await expect(client.query("select currval('nothing')")).rejects.toMatchObject({
        code: '42P01',
      });
      await client.query("insert into made (note) values ('x')");
      await client.query('discard sequences');
      await expect(client.query('select lastval()')).rejects.toMatchObject(undefinedState);
    });
  });

  it('are refused when something unseen may have taken values', async () => {
    await withClient(async (client) => {
      const got = await value(client, "insert into own (note) values ('x') returning id");
      await client.query("update made set note = 'y' where id = 5");
      expect(await value(client, 'select lastval()')).toBe(got);
      await client.query('select add_own()');
      await expect(client.query('select lastval()')).rejects.toMatchObject({ code: '0A000' });
      await expect(client.query("select currval('own_id_seq')")).rejects.toMatchObject({
        code: '0A000',
      });
    });
  });
});
