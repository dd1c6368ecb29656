import type { Client, FieldDef } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { BothSides } from '../support/both-sides.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

let served: ServedCluster;
const clients: Client[] = [];

const read = 'select * from entry where id = $1';

/** Rows and columns as they come from an unnamed statement. */
async function readWith(client: Client | undefined, id: number) {
  const result = await client?.query(read, [id]);
  return { columns: result?.fields.map(({ name }) => name), rows: result?.rows };
}

async function onShard(shard: string, sql: string): Promise<void> {
  const { primary } = served.lab.shard(shard);
  await withSession(primary, { database: 'app', password: null }, (session) => session.query(sql));
}

describe('unnamed statements that servers keep', () => {
  beforeAll(async () => {
    // One connection for each shard: it must be the one that is asked what it keeps.
    const limits = 'server_connections_max: 1';
    served = await ServedCluster.start({
      shards: ['a', 'b'],
      schema: entrySchema,
      workers: 1,
      limits,
    });
    for (let count = 0; count < 8; count++) clients.push(await served.connect());
    await clients[0]?.query('insert into entry values ($1, $2)', [1, 'one']);
    await clients[0]?.query('insert into entry values ($1, $2)', [1_000_001, 'other']);
  });

  afterAll(async () => {
    await Promise.all(clients.map((client) => client.end()));
    await served?.stop();
  });

  it('are kept', async () => {
    for (let time = 0; time < 3; time++) {
      for (const id of [1, 1_000_001])
        expect((await readWith(clients[0], id)).rows).toHaveLength(1);
    }
    const kept = await clients[0]?.query(
      "select statement from pg_prepared_statements where name like 'pgweave\\_u%'",
    );
    expect(kept?.rows).toEqual([{ statement: read }]);
  });

  it('answer as if they were not when a table changes under load', async () => {
    let errors = 0;
    let changed = false;
    const load = clients.map(async (client) => {
      while (!changed) await readWith(client, 1).catch(() => errors++);
    });
    for (const shard of ['a', 'b'])
      await onShard(shard, 'alter table entry add extra int default 7');
    const after = await Promise.all(clients.map((client) => readWith(client, 1)));
    changed = true;
    await Promise.all(load);
    expect(errors).toBe(0);
    for (const { columns, rows } of after) {
      expect(columns).toEqual(['id', 'note', 'extra']);
      expect(rows).toEqual([{ id: 1, note: 'one', extra: 7 }]);
    }
  });

  it('fail with the error of the statement that the client wrote', async () => {
    const [client] = clients;
    await expect(client?.query(read, ['x'])).rejects.toMatchObject({ code: '22P02' });
    await expect(client?.query(read, [1, 2])).rejects.toMatchObject({
      code: '08P01',
      message: 'bind message supplies 2 parameters, but prepared statement "" requires 1',
    });
    for (const shard of ['a', 'b']) await onShard(shard, 'alter table entry rename note to text');
    await expect(client?.query('select note from entry where id = $1', [1])).rejects.toMatchObject({
      code: '42703',
    });
    expect((await readWith(client, 1)).columns).toEqual(['id', 'text', 'extra']);
  });
});

describe('short reads of the simple protocol', () => {
  let sides: BothSides;
  const kept = "select statement from pg_prepared_statements where name like 'pgweave\\_q%'";

  beforeAll(async () => {
    const limits = 'server_connections_max: 1';
    const schema = `${entrySchema}; create table kind (id int primary key, small int2, amount numeric(6, 2),
      code char(4), label varchar(10), day date, at timestamptz, ok boolean, ids int[])`;
    sides = await BothSides.start({ shards: ['a'], schema, workers: 1, limits });
    await sides.run([
      "insert into entry values (1, 'one'), (2, 'it''s'), (3, null)",
      `insert into kind values (1, 1, 1.5, 'ab', 'ab', '2024-02-29', '2024-02-29 10:00+00', true, '{1,2}'),
        (2, 2, 2, 'ab  ', 'ab ', '2024-03-01', '2024-03-01 00:00+01', false, '{}')`,
    ]);
  });

  afterAll(async () => {
    await sides?.stop();
  });

  it('are kept, with parameters for their literals', async () => {
    const client = await sides.served.connect();
    for (const id of [1, 2, 3]) {
      expect((await client.query(`select * from entry where id = ${id}`)).rows).toHaveLength(1);
    }
    const { rows } = await client.query(kept);
    expect(rows).toEqual([{ statement: 'select * from entry where id = $1' }]);
    await client.end();
  });

  it.each([
    'id = 1',
    "id = '2'",
    'small = 1',
    'small = 3000000000',
    'amount = 1.50',
    'amount = 2',
    "code = 'ab'",
    "code = 'ab   '",
    "label = 'ab '",
    "day = '2024-02-29'",
    "day = '29 Feb 2024'",
    "day = 'never'",
    "at = '2024-02-29 10:00'",
    "ok = 'yes'",
    "ids = '{1,2}'",
    'label = 1',
    "id = 'x'",
    "id = 1 or label = 'ab' and code = 'ab'",
    'id = 99999999999999999999999',
    'nothing = 1',
  ])('are answered as if they were not: %s', async (condition) => {
    const client = await sides.served.connect();
    const plain = await sides.connectPlain();
    const text = `select kind.*, amount = 1.5, code = 'ab' from kind where ${condition}`;
    const answer = async (asked: typeof client) => {
      const result = await asked.query({ text, rowMode: 'array' }).catch((error) => error);
      const { code, message, position, rows, rowCount } = result;
      const columns = result.fields?.map(
        (field: FieldDef) =>
          `${field.name} ${field.dataTypeID} ${field.dataTypeModifier} ${field.format}`,
      );
      return { code, message, position, rows, rowCount, columns };
    };
    for (let time = 0; time < 3; time++) expect(await answer(client)).toEqual(await answer(plain));
    await client.end();
    await plain.end();
  });
});

describe('named statements with the same text', () => {
  let served: ServedCluster;

  beforeAll(async () => {
    const limits = 'server_connections_max: 1';
    served = await ServedCluster.start({ shards: ['a'], schema: entrySchema, workers: 1, limits });
  });

  afterAll(async () => {
    await served?.stop();
  });

  it('are read by servers under the settings of their own sessions', async () => {
    const text = "select extract(epoch from timestamptz '2020-01-01 00:00')::int8::text as seconds";
    const answers: unknown[] = [];
    for (const zone of ['UTC', 'Asia/Tokyo', 'UTC']) {
      const client = await served.connect();
      await client.query(`set timezone to '${zone}'`);
      answers.push((await client.query({ name: 'same', text })).rows[0].seconds);
      await client.end();
    }
    expect(answers).toEqual(['1577836800', '1577804400', '1577836800']);
  });
});
