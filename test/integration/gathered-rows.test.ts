import { createConnection, type Socket } from 'node:net';
import type { Client, QueryResult } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { encodeCancelRequest } from '../../src/protocol/startup-packet.ts';
import { ServedCluster } from '../support/served-cluster.ts';

// Ids from 1000000 on are on shard b.
const schema = `
  create type mood as enum ('low', 'high');
  create table entry (
    id int primary key, note text, mood mood, weight float8, day date, span interval
  );
  create table setting (name text primary key, value text);
  insert into setting values ('n1', 'one'), ('n2', 'two')`;
const fill = (from: number) => `
  insert into entry select i, 'n' || i % 7, (array['low', 'high'])[1 + i % 2]::mood, i / 8.0,
    date '2020-01-01' + i % 50, i % 9 * interval '1 hour' from generate_series(${from}, ${from + 499}) i`;

let served: ServedCluster;
let open: Client[] = [];

beforeAll(async () => {
  const limits = 'gather_bytes_max: 1MB';
  served = await ServedCluster.start({ shards: ['a', 'b'], schema, limits, workers: 1 });
  for (const [index, name] of ['a', 'b'].entries()) {
    await withSession(served.lab.shard(name).primary, served.lab.login, (session) =>
      session.query(fill(index * 1_000_000 + 1)),
    );
  }
});

afterEach(async () => {
  const ended = open.map((client) => client.end());
  open = [];
  await Promise.all(ended);
  await served.untilIdle();
});

afterAll(async () => {
  await served?.stop();
});

async function connect(): Promise<Client> {
  const client = await served.connect();
  open.push(client);
  return client;
}

const median = 'select percentile_cont(0.5) within group (order by weight) as median from entry';

describe('gathered rows', () => {
  it('answer what neither one shard nor the proxy can', async () => {
    const client = await connect();
    const counted = await served.metric('pgweave_gathered_rows_total');
    expect((await client.query(median)).rows).toEqual([{ median: (500 / 8 + 1_000_001 / 8) / 2 }]);
    await served.until('the rows to be counted', async () => {
      return (await served.metric('pgweave_gathered_rows_total')) === counted + 1000;
    });
  });

  it('take the parameters of the client, also of a type that servers number on their own', async () => {
    const client = await connect();
    const text = `select count(distinct note) as notes from entry where mood = $1 and id > $2`;
    for (const values of [
      ['high', 0],
      ['low', 1_000_498],
    ]) {
      const { rows } = await client.query(text, values);
      expect(rows).toEqual([{ notes: values[1] === 0 ? '7' : '1' }]);
    }
  });

  it('contain what the transaction has written', async () => {
    const client = await connect();
    await client.query('begin');
    await client.query(`insert into entry values (2000, 'new')`);
    const distinct = 'select count(distinct note) as notes from entry';
    expect((await client.query(distinct)).rows).toEqual([{ notes: '8' }]);
    await client.query('rollback');
    expect((await client.query(distinct)).rows).toEqual([{ notes: '7' }]);
  });

  it('of several results are joined on one server', async () => {
    const client = await connect();
    const { rows } = await client.query(`
      select value, count(*) as entries from setting join entry on note = name
      group by value order by value`);
    expect(rows).toEqual([
      { value: 'one', entries: '143' },
      { value: 'two', entries: '144' },
    ]);
  });

  it('are read through cursors of SQL', async () => {
    const client = await connect();
    await client.query('begin');
    const query = 'select id, row_number() over (order by id desc) from entry order by id desc';
    await client.query(`declare latest cursor for ${query}`);
    await client.query('delete from entry where id = 3');
    expect((await client.query('fetch 2 from latest')).rows).toEqual([
      { id: 1_000_500, row_number: '1' },
      { id: 1_000_499, row_number: '2' },
    ]);
    expect((await client.query('fetch all from latest')).rows).toHaveLength(998);
    await client.query('rollback');
  });

  it('are fetched in pieces, in a transaction and outside', async () => {
    for (const before of ['', 'begin']) {
      const client = await connect();
      if (before !== '') await client.query(before);
      const text = 'select id, row_number() over (order by id desc) from entry order by id desc';
      const { rows } = await client.query({ text, rows: 300 } as never);
      expect(rows).toHaveLength(1000);
      if (before !== '') await client.query('commit');
    }
  });

  it('that are too many are refused, and all is well afterwards', async () => {
    const client = await connect();
    const text = `select repeat(note, 2000), row_number() over () from entry`;
    await expect(client.query(text)).rejects.toMatchObject({
      code: '53400',
      message: expect.stringContaining('limits.gather_bytes_max (1048576 bytes)'),
      hint: expect.stringContaining('raise limits.gather_bytes_max'),
    });
    await client.query('begin');
    await expect(client.query(text)).rejects.toMatchObject({ code: '53400' });
    await client.query('rollback');
    expect((await client.query('select count(*) as n from entry')).rows).toEqual([{ n: '1000' }]);
  });

  it('are the same whatever settings say about their text; lists of them are refused', async () => {
    const client = await connect();
    const days = 'select count(distinct day) as days from entry';
    const { rows: medians } = await client.query(median);
    await client.query(`set extra_float_digits to 0; set datestyle to 'german'`);
    expect((await client.query(median)).rows).toEqual(medians);
    expect((await client.query(days)).rows).toEqual([{ days: '50' }]);
    await expect(
      client.query('select count(distinct array[day]) from entry'),
    ).rejects.toMatchObject({ code: '0A000', message: expect.stringContaining('DateStyle') });
    await expect(
      client.query('select count(distinct array[weight]) from entry'),
    ).rejects.toMatchObject({ code: '0A000', hint: expect.stringContaining('extra_float_digits') });
    await client.query(`set datestyle to 'ISO, DMY'; set intervalstyle to sql_standard`);
    expect((await client.query(days)).rows).toEqual([{ days: '50' }]);
    const spans = 'select count(distinct span) as spans from entry';
    expect((await client.query(spans)).rows).toEqual([{ spans: '9' }]);
  });

  it('of a type without a name are refused by the name of their column', async () => {
    const client = await connect();
    const text = `with pairs as materialized (select row(id, note) as pair from entry order by id limit 5)
      select count(distinct pair::text) from pairs`;
    await expect(client.query(text)).rejects.toMatchObject({
      code: '0A000',
      message: expect.stringContaining('"pair" has the pseudo-type record'),
    });
  });

  it('show up in EXPLAIN with rows, bytes and time of each shard', async () => {
    const client = await connect();
    const plain = (await client.query(`explain ${median}`)).rows.map((row) => row['QUERY PLAN']);
    expect(plain).toContainEqual('Intermediate result 0 on shard b:');
    expect(plain).toContainEqual(expect.stringContaining('Function Scan'));
    const text = `explain (analyze, costs off) ${median}`;
    const analyzed = (await client.query(text)).rows.map((row) => row['QUERY PLAN']);
    expect(analyzed).toContainEqual(expect.stringMatching(/^Intermediate result 0 .*: 1000 rows/));
    expect(analyzed).toContainEqual(
      expect.stringMatching(/^ {2}Shard b: 500 rows, \d+ bytes, [\d.]+ ms$/),
    );
    expect(analyzed).toContainEqual(expect.stringMatching(/Function Scan.*rows=1000/));
    const onShard = analyzed.slice(analyzed.indexOf('Intermediate result 0 on shard b:'));
    expect(onShard[1]).toMatch(/Seq Scan on entry \(actual .*rows=500/);
    await expect(client.query(`explain (format json) ${median}`)).rejects.toMatchObject({
      code: '0A000',
    });
  });
});

describe('while rows are gathered', () => {
  // The first shard is also asked what the types are: waiting there is waiting for that.
  it.each([
    ['a', ''],
    ['a', 'begin'],
    ['b', ''],
    ['b', 'begin'],
  ])('a cancel stops what waits on shard %s, after "%s"', async (shard, before) => {
    const client = await connect();
    if (before !== '') await client.query(before);
    await whileLocked(shard, async (waiting) => {
      // Each time another plan, whose types nobody knows.
      const text = `select count(distinct note) as ${before || 'alone'}_${shard} from entry`;
      const failing = expect(client.query(text)).rejects.toMatchObject({ code: '57014' });
      await served.until('the shard to wait', async () => (await waiting()) === 1);
      cancel(client);
      await failing;
      await served.until('the shard to stop', async () => (await waiting()) === 0);
    });
    if (before !== '') await client.query('rollback');
    expect((await client.query('select count(distinct note) as n from entry')).rows[0].n).toBe('7');
  });

  it('a client that leaves stops them, too', async () => {
    const client = await served.connect();
    await whileLocked('b', async (waiting) => {
      client.query('select count(distinct note) as n from entry').catch(() => {});
      await served.until('the shard to wait', async () => (await waiting()) === 1);
      (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
      await served.until('the shard to stop', async () => (await waiting()) === 0);
    });
  });

  it('a lost connection makes the statement run again, as the client has seen nothing', async () => {
    const client = await connect();
    let answer: Promise<QueryResult> | null = null;
    await whileLocked('b', async (waiting, lockers) => {
      answer = client.query('select count(distinct note) as n from entry');
      await served.until('the shard to wait', async () => (await waiting()) === 1);
      await lockers.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'`,
      );
      await served.until('the statement to wait again', async () => (await waiting()) === 1);
    });
    expect(await answer).toMatchObject({ rows: [{ n: '7' }] });
  });
});

/** `waiting` counts the statements that wait for the lock on the shard's table. */
async function whileLocked(
  shard: string,
  work: (waiting: () => Promise<number>, session: Client) => Promise<void>,
): Promise<void> {
  const { primary } = served.lab.shard(shard);
  await withSession(primary, served.lab.login, async (session) => {
    await session.query('begin; lock table entry');
    const waiting = async () => {
      const { rows } = await session.query(
        `select count(*)::int as n from pg_locks where not granted and relation = 'entry'::regclass`,
      );
      return Number(rows[0].n);
    };
    await work(waiting, session);
    await session.query('commit');
  });
}

function cancel(client: Client): void {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const secret = Buffer.alloc(4);
  secret.writeInt32BE(secretKey);
  const socket = createConnection(served.port, '127.0.0.1');
  socket.write(encodeCancelRequest({ backendId: processID, secret }));
  socket.resume();
}
