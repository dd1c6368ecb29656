import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { BothSides } from '../support/both-sides.ts';

// Ids from 1000000 on are on shard b. Nearly all rows are of kind 1, whatever rules of thumb say.
const schema = 'create table entry (id int primary key, kind int, size int, note text)';
const fill = [0, 1_000_000].flatMap((from) => [
  `insert into entry select i, 1, 0, 'n' || i % 500 from generate_series(${from + 1}, ${from + 4000}) i`,
  `insert into entry select i, 2, i, 'n' || i % 500
    from generate_series(${from + 5001}, ${from + 5500}) i`,
]);

const join = `select count(*), min(v.id), max(p.id) from entry v join entry p on p.note = v.note`;
const of = (kind: string, id: string) => `${join} where v.kind = ${kind} and p.size > ${id}`;

let both: BothSides;

beforeAll(async () => {
  both = await BothSides.start({ shards: ['a', 'b'], schema, workers: 1 });
  await both.run(fill);
  for (const { primary } of both.served.lab.shards) {
    const { login } = both.served.lab;
    await withSession(primary, login, (session) => session.query('analyze'));
  }
});
afterAll(() => both?.stop());

async function lines(client: Client, text: string): Promise<string> {
  const { rows } = await client.query(text);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

describe('of a join off the key, the side moves', () => {
  it('that the servers estimate smaller, not the one with the stricter condition', async () => {
    const client = await both.served.connect();
    const plan = await lines(client, `explain ${of('1', '5000')}`);
    expect(plan).toMatch(/Path 0, estimated to collect: 8000 rows, \d+ bytes\n/);
    expect(plan).toMatch(/Path 1, estimated to collect: (9\d\d|1000) rows, \d+ bytes \(taken\)/);
    expect(plan).toContain('SELECT p.id, p.kind, p.note FROM entry AS p');
    await client.end();
  });

  it('by the values of the first execution, and then stays', async () => {
    const client = await both.served.connect();
    const text = (kind: number) => `explain ${of(String(kind), '5000')} and true`;
    const taken = /Path 0, estimated to collect: \d rows, \d+ bytes \(taken\)/;
    expect(await lines(client, text(7))).toMatch(taken);
    expect(await lines(client, text(1))).toMatch(taken);
    await client.end();
  });

  it('with parameters, in a transaction, and the answer is the same', async () => {
    const [served, plain] = [await both.served.connect(), await both.connectPlain()];
    for (const client of [served, plain]) await client.query('begin');
    for (const values of [
      [1, 5000],
      ['2', '1005200'],
    ] as (number | string)[][]) {
      const query = { text: of('$1', '$2::int8'), values };
      expect((await served.query(query)).rows).toEqual((await plain.query(query)).rows);
    }
    for (const client of [served, plain]) await client.end();
  });

  it('with the error of the servers where planning a part is one', async () => {
    const text = `${of('1 / (2 - 2)', '5000')}`;
    const { served, plain } = await both.run(['begin', text, 'rollback', text, join]);
    expect(served).toEqual(plain);
  });
});
