import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { ServedCluster } from '../support/served-cluster.ts';

// Ids from 1000000 on are on shard b; the views are on the home shard, a, only.
const schema = 'create table entry (id int primary key, kind text not null, weight numeric)';
const views = `
  create view heavy as select id, kind, weight from entry where weight > 10;
  create view kinds (kind, entries, total) as
    select kind, count(*), sum(weight) from entry group by kind;
  create view top_kinds as select kind from kinds order by total desc limit 1`;
const fill = (from: number) => `
  insert into entry select i, 'k' || i % 3, i % 20 from generate_series(${from}, ${from + 99}) i`;

let served: ServedCluster;
let client: Client;

beforeAll(async () => {
  served = await ServedCluster.start({ shards: ['a', 'b'], schema, workers: 1 });
  const { login } = served.lab;
  const onShard = (name: string, sql: string) =>
    withSession(served.lab.shard(name).primary, login, (session) => session.query(sql));
  await onShard('a', fill(1));
  await onShard('b', fill(1_000_001));
  await onShard('a', views);
  client = await served.connect();
  await served.until('the views to be known', async () => {
    const answer = await client.query('select count(*) from top_kinds').catch(() => null);
    return answer?.rows[0]?.count === '1';
  });
});

afterAll(async () => {
  await client?.end();
  await served?.stop();
});

const rowsOf = async (sql: string, values: unknown[] = []) =>
  (await client.query({ text: sql, values, rowMode: 'array' })).rows;

describe('a view over distributed tables', () => {
  it('has the rows of all shards', async () => {
    expect(await rowsOf('select count(*), min(id), max(id) from heavy')).toEqual([
      ['90', 11, 1_000_099],
    ]);
  });

  it('groups rows of all shards', async () => {
    expect(await rowsOf('select * from kinds order by kind')).toEqual(
      await rowsOf('select kind, count(*), sum(weight) from entry group by kind order by kind'),
    );
  });

  it('stands on another view', async () => {
    const [top] = await rowsOf(
      'select kind from entry group by kind order by sum(weight) desc limit 1',
    );
    expect(await rowsOf('select * from top_kinds')).toEqual([top]);
  });

  it('is answered by one shard that does not know it', async () => {
    expect(await rowsOf('select weight from heavy where id = $1', [1_000_011])).toEqual([['11']]);
  });

  it('has its own column names', async () => {
    const { fields } = await client.query('select * from kinds limit 0');
    expect(fields.map((field) => field.name)).toEqual(['kind', 'entries', 'total']);
  });

  it('joins with tables by the key', async () => {
    expect(
      await rowsOf('select count(*) from heavy h join entry e on e.id = h.id where e.weight > 15'),
    ).toEqual([['40']]);
  });
});
