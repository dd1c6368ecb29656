import type { Client, QueryConfig, QueryResult } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import { type PlainPostgres, startPlainPostgres } from '../support/lab.ts';
import { ServedCluster } from '../support/served-cluster.ts';

// Ids from 1000000 on are on shard b.
const tables = `
  create table entry (id int primary key, note text, weight numeric(10, 2), at timestamptz);
  create role looker; grant looker to app; grant select on entry to looker`;
const mood = `create type mood as enum ('low', 'high')`;
const fill = (from: number) => `
  insert into entry select i, 'n' || i % 7, i / 8.0, timestamptz '2020-01-01 12:00+00' + i % 50 * interval '1 day'
  from generate_series(${from}, ${from + 499}) i`;

const notes = 'select count(distinct note) as notes from entry';
/** It takes a while wherever the rows are combined, and nowhere else. */
const slow = `select sum(w.s) as n from (select distinct note from entry) as d,
  lateral (select sum(length(md5(note || i))) as s from generate_series(1, 150000) i) as w`;

let served: ServedCluster;
let open: Client[] = [];

async function start(options: { readonly standbys?: boolean; readonly more?: string }) {
  served = await ServedCluster.start({
    shards: ['a', 'b'],
    workers: 1,
    ...options,
    schema: `reset role; ${tables}; alter table entry owner to app; ${mood}`,
  });
  for (const [index, name] of ['a', 'b'].entries()) {
    await onServer(served.lab.shard(name).primary, fill(index * 1_000_000 + 1));
  }
}

afterEach(async () => {
  const ended = open.map((client) => client.end());
  open = [];
  await Promise.all(ended);
});

async function connect(): Promise<Client> {
  const client = await served.connect();
  open.push(client);
  return client;
}

async function onServer(server: PostgresServer, sql: string) {
  return await withSession(server, served.lab.login, (session) => session.query(sql));
}

/** Statements over gathered rows that clients have had the server run, or that run now. */
async function combined(server: PostgresServer, state = 'idle'): Promise<number> {
  const { rows } = await onServer(
    server,
    `select count(*)::int as n from pg_stat_activity
      where usename = 'app' and query like '%unnest%' and state = '${state}'`,
  );
  return rows[0].n;
}

async function plan(client: Client, text: string): Promise<string> {
  const { rows } = await client.query(text);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

describe('with streaming standbys, rows are combined', () => {
  const standbys = () => served.lab.shards.map(({ standby }) => standby as PostgresServer);
  const total = async (state?: string) => {
    const counts = await Promise.all(standbys().map((standby) => combined(standby, state)));
    return counts.reduce((sum, count) => sum + count, 0);
  };

  beforeAll(async () => {
    await start({ standbys: true });
    await served.untilArmed();
  });
  afterAll(() => served?.stop());

  it('where the transaction is, in a block', async () => {
    const client = await connect();
    await client.query('begin');
    await client.query(`insert into entry values (2000, 'new')`);
    expect((await client.query(notes)).rows).toEqual([{ notes: '8' }]);
    expect(await plan(client, `explain ${notes}`)).toContain('Then on shard a:');
    await client.query('rollback');
    expect(await total()).toBe(0);
  });

  it('by a standby, with the settings and the role of the session', async () => {
    const client = await connect();
    expect((await client.query(notes)).rows).toEqual([{ notes: '7' }]);
    expect(await total()).toBe(1);
    const node = (await served.console('show pools')).filter(({ node: id }) =>
      standbys().some((standby) => standby.id === id),
    );
    expect(node).toEqual([expect.objectContaining({ shard: expect.stringMatching(/^[ab]$/) })]);
    await client.query(`set timezone to 'Asia/Tokyo'; set role looker`);
    const text = `select max(at)::text as at, count(distinct note) as notes, current_user as who from entry`;
    expect((await client.query(text)).rows).toEqual([
      { at: '2020-02-19 21:00:00+09', notes: '7', who: 'looker' },
    ]);
    expect(await plan(client, `explain ${notes}`)).toMatch(/Then on \(standby of [ab]\):/);
    expect(await plan(client, `explain analyze ${notes}`)).toMatch(
      /^Then on \(standby of [ab]\):$/m,
    );
  });

  it('by a primary, when the standbys lack a type that was made a moment ago', async () => {
    for (const standby of standbys()) await onServer(standby, 'select pg_wal_replay_pause()');
    for (const { primary } of served.lab.shards) {
      await onServer(primary, `create type colour as enum ('n1', 'n2', 'n0')`);
    }
    const client = await connect();
    const text = `select mode() within group (order by note::colour) as colour from entry where note < 'n3'`;
    expect((await client.query(text)).rows).toEqual([{ colour: 'n2' }]);
    for (const standby of standbys()) await onServer(standby, 'select pg_wal_replay_resume()');
    expect((await client.query(text)).rows).toEqual([{ colour: 'n2' }]);
  });

  it('by a primary, when the standby ends the statement or is killed', async () => {
    const client = await connect();
    const alone = (await client.query(slow)).rows;
    expect(alone).toEqual([{ n: String(7 * 150_000 * 32) }]);
    const cancelled = client.query(slow);
    await served.until('a standby to combine', async () => (await total('active')) === 1);
    for (const standby of standbys()) {
      await onServer(
        standby,
        `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app' and state = 'active'`,
      );
    }
    expect((await cancelled).rows).toEqual(alone);
    await served.until('the standbys to be chosen again', async () =>
      (await plan(client, `explain ${notes}`)).includes('(standby of'),
    );
    const killed = client.query(slow);
    await served.until('a standby to combine', async () => (await total('active')) === 1);
    const actives = await Promise.all(standbys().map((standby) => combined(standby, 'active')));
    await standbys()[actives.indexOf(1)]?.kill();
    expect((await killed).rows).toEqual(alone);
    expect((await client.query(notes)).rows).toEqual([{ notes: '7' }]);
    await served.untilIdle();
  });

  it('by nobody who becomes primary', async () => {
    const client = await connect();
    const shards = await served.console('show shards');
    const left = shards.find((shard) => shard['standbys'] !== '');
    if (left === undefined) throw new Error('no shard has a standby');
    const before = left['standbys'];
    await served.console(`switchover ${left['shard']}`);
    expect((await client.query(notes)).rows).toEqual([{ notes: '7' }]);
    const after = (await served.console('show shards')).find(
      (shard) => shard['shard'] === left['shard'],
    );
    expect(after?.['primary']).toBe(before);
    expect(await plan(client, `explain ${notes}`)).toMatch(/Then on shard [ab]:/);
  });
});

describe('with a server set aside for it, rows are combined', () => {
  let plain: PlainPostgres;

  beforeAll(async () => {
    // Types have other OIDs there.
    const schema = `create type another as enum ('x'); ${mood}`;
    plain = await startPlainPostgres({ schema });
    const login = { database: 'app', password: null };
    await withSession(plain.server, login, (session) =>
      session.query('create role looker; grant looker to app'),
    );
    await start({ more: `combine: { nodes: ["${plain.server.id}"] }` });
  });
  afterAll(async () => {
    await served?.stop();
    await plain?.stop();
  });

  const usesIt = async (client: Client) =>
    (await plan(client, `explain ${notes}`)).includes(`(combine ${plain.server.id})`);

  it('there, outside of blocks', async () => {
    const client = await connect();
    await client.query('begin');
    expect((await client.query(notes)).rows).toEqual([{ notes: '7' }]);
    await client.query('commit');
    expect(await combined(plain.server)).toBe(0);
    expect((await client.query(notes)).rows).toEqual([{ notes: '7' }]);
    expect(await combined(plain.server)).toBe(1);
    expect(await usesIt(client)).toBe(true);
    expect(await served.console('show pools')).toContainEqual(
      expect.objectContaining({ shard: `(combine ${plain.server.id})`, node: plain.server.id }),
    );
    expect(await served.metric(`pgweave_pool_connections{shard="(combine`)).toBeGreaterThan(0);
  });

  it('with types of users as the home shard numbers them, in text and binary', async () => {
    const client = await connect();
    const text = `select mode() within group (order by (case when note = 'n1' then 'high' else 'low' end)::mood) as m,
      count(*) filter (where note = $1) as n from entry where id > $2`;
    const home = await onServer(
      served.lab.shard('a').primary,
      `select 'mood'::regtype::oid::int as oid`,
    );
    for (const binary of [false, true]) {
      const query = { text, values: ['n1', 0], binary };
      const answer: QueryResult = await client.query(query as QueryConfig);
      expect(answer.fields[0]?.dataTypeID).toBe(home.rows[0].oid);
      expect(String(answer.rows[0]?.m)).toBe('low');
    }
    const typed = 'select count(distinct note) as n from entry where $1::mood is not null';
    expect((await client.query(typed, ['high'])).rows).toEqual([{ n: '7' }]);
  });

  it('by a primary, when a type is missing there', async () => {
    for (const { primary } of served.lab.shards) {
      await onServer(primary, `create type colour as enum ('n1', 'n2', 'n0')`);
    }
    const client = await connect();
    const text = `select mode() within group (order by note::colour) as colour from entry where note < 'n3'`;
    expect((await client.query(text)).rows).toEqual([{ colour: 'n2' }]);
    expect(await usesIt(client)).toBe(true);
  });

  it('elsewhere, while its settings would change answers', async () => {
    const login = { database: 'app', password: null };
    const set = (sql: string) =>
      withSession(plain.server, login, async (session) => {
        await session.query(sql);
        await session.query('select pg_reload_conf()');
      });
    const client = await connect();
    await set(`alter system set timezone to 'Asia/Tokyo'`);
    await served.until('it to be left alone', async () => !(await usesIt(client)));
    const text = `select max(at)::text as at, count(distinct note) as notes from entry`;
    expect((await client.query(text)).rows[0].at).not.toContain('+09');
    expect(served.run.stderr).toContain('TimeZone is Asia/Tokyo, on the home shard it is');
    await set('alter system reset timezone');
    await served.until('it to be used again', async () => await usesIt(client));
  });

  it('by a primary, when it is gone', async () => {
    const client = await connect();
    await client.query(notes);
    await plain.server.stop('immediate');
    expect((await client.query(notes)).rows).toEqual([{ notes: '7' }]);
    expect((await client.query(slow)).rows).toEqual([{ n: String(7 * 150_000 * 32) }]);
    expect(await usesIt(client)).toBe(false);
    await served.untilIdle();
  });
});
