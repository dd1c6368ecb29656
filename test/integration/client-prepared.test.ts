import { setTimeout } from 'node:timers/promises';
import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

// Shard a, the home shard, has the ids from 0, b those from 1000000, c those from 2000000.
const schema = `${entrySchema};
  create function refuse() returns trigger language plpgsql as $$
    begin
      if new.note = 'late' then raise exception 'too late' using errcode = '23514'; end if;
      return null;
    end $$;
  create constraint trigger refused after insert or update on entry
    deferrable initially deferred for each row execute function refuse()`;

let served: ServedCluster;
const open: Client[] = [];

async function connect(): Promise<Client> {
  const client = await served.connect();
  open.push(client);
  return client;
}

/** What each statement of a session says: its tag, or the SQLSTATE of its error. */
async function tags(client: Client, ...texts: readonly string[]): Promise<readonly string[]> {
  const seen: string[] = [];
  for (const text of texts) {
    const answer = await client.query(text).catch((error) => ({ command: error.code }));
    seen.push(answer.command);
  }
  return seen;
}

/** On the server itself. */
async function ask(
  shard: string,
  sql: string,
): Promise<readonly { readonly [c: string]: unknown }[]> {
  const { primary } = served.lab.shard(shard);
  return await withSession(primary, served.lab.login, async (session) => {
    const { rows } = await session.query(sql);
    return rows;
  });
}

async function prepared(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { name } of served.lab.shards) {
    const rows = await ask(name, 'select gid from pg_prepared_xacts order by 1');
    found.push(...rows.map(({ gid }) => `${name} ${String(gid).replace(/^pgweave.*/, 'part')}`));
  }
  return found;
}

async function notes(): Promise<readonly string[]> {
  const client = await connect();
  const { rows } = await client.query('select id, note from entry order by id');
  return rows.map(({ id, note }) => `${id} ${note}`);
}

/** A row on each of the shards, prepared. */
async function prepare(gid: string, ...ids: readonly number[]): Promise<void> {
  const client = await connect();
  await client.query('begin');
  for (const id of ids) await client.query('insert into entry values ($1, $2)', [id, gid]);
  const answer = await client.query(`prepare transaction '${gid.replaceAll("'", "''")}'`);
  expect(answer.command).toBe('PREPARE');
  expect(await tags(client, 'rollback')).toEqual(['ROLLBACK']);
}

/** One after the other is asked for, and all workers are killed half way; which were acknowledged. */
async function underKills(
  gids: readonly string[],
  ask: (gid: string, index: number) => Promise<unknown> | undefined,
): Promise<ReadonlySet<string>> {
  const workers = await served.console('show workers');
  const acknowledged = new Set<string>();
  const asked = gids.map(async (gid, index) => {
    await setTimeout(4 * index);
    await ask(gid, index)?.then(
      () => acknowledged.add(gid),
      () => {},
    );
  });
  await setTimeout(2 * gids.length);
  for (const { pid } of workers) process.kill(Number(pid), 'SIGKILL');
  await Promise.all(asked);
  const isRenewed = async () => {
    const now = await served.console('show workers').catch(() => []);
    const isNew = (pid: unknown) => workers.every((each) => each['pid'] !== pid);
    return (
      now.length === workers.length &&
      now.every(({ pid, state }) => state === 'ready' && isNew(pid))
    );
  };
  await served.until('new workers', isRenewed, 30_000);
  return acknowledged;
}

/** By the clients' names, once recovery has ended what has no name of a client's. */
async function leftPrepared(): Promise<readonly string[]> {
  let left: readonly string[] = [];
  await until(async () => {
    const all = await prepared();
    left = all.filter((each) => each.startsWith('a ')).map((each) => each.slice(2));
    return all.length === 3 * left.length;
  });
  return left;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await condition()) return;
    await setTimeout(50);
  }
  throw new Error('it has not come to that');
}

beforeAll(async () => {
  served = await ServedCluster.start({ shards: ['a', 'b', 'c'], schema });
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.end()));
  await served.untilIdle();
  expect(await prepared()).toEqual([]);
  for (const { name } of served.lab.shards) await ask(name, 'truncate entry');
});

afterAll(async () => {
  await served?.stop();
});

describe('PREPARE TRANSACTION of a client', () => {
  it.each([
    ['on three shards', [1, 1_000_001, 2_000_001], ["a it's mine", 'b part', 'c part']],
    [
      'on two others than the home shard',
      [1_000_001, 2_000_001],
      ["a it's mine", 'b part', 'c part'],
    ],
    ['on another than the home shard', [1_000_001], ["a it's mine", 'b part']],
    ['on the home shard', [1], ["a it's mine"]],
    ['nowhere', [], ["a it's mine"]],
  ])(
    'of writes %s is seen under its name, and finished from any session',
    async (_, ids, parts) => {
      const rows = ids.map((id) => `${id} it's mine`);
      const client = await connect();
      const seen = async () => {
        const { rows } = await client.query('select gid, owner from pg_prepared_xacts');
        return rows;
      };
      await prepare("it's mine", ...ids);
      expect(await prepared()).toEqual(parts);
      expect(await seen()).toEqual([{ gid: "it's mine", owner: 'app' }]);
      expect(await notes()).toEqual([]);
      expect(await tags(client, "rollback prepared 'it''s mine'")).toEqual(['ROLLBACK']);
      expect(await prepared()).toEqual([]);
      expect(await notes()).toEqual([]);
      // At once under the same name.
      await prepare("it's mine", ...ids);
      expect(await tags(client, "commit prepared 'it''s mine'")).toEqual(['COMMIT']);
      expect(await prepared()).toEqual([]);
      expect(await notes()).toEqual(rows);
      expect(await tags(client, "commit prepared 'it''s mine'", 'select 1')).toEqual([
        '42704',
        'SELECT',
      ]);
    },
  );

  it('keeps its locks, and is left alone by recovery, until somebody ends it', async () => {
    await prepare('first', 1, 1_000_001);
    expect(await tags(await connect(), "commit prepared 'first'")).toEqual(['COMMIT']);
    const client = await connect();
    await client.query('begin');
    await client.query('select * from entry where id in (1, 1000001) for update');
    await client.query("insert into entry values (2, 'new')");
    await client.query("prepare transaction 'locks'");
    await setTimeout(3_500);
    expect(await prepared()).toEqual(['a locks', 'b part']);
    const other = await connect();
    for (const id of [1, 1_000_001]) {
      const locking = `select from entry where id = ${id} for update nowait`;
      expect(await tags(other, locking)).toEqual(['55P03']);
    }
    const [doubtful] = await served.console('show transactions');
    expect(doubtful).toMatchObject({ coordinator: 'a', decision: 'running' });
    expect(await tags(other, "commit prepared 'locks'")).toEqual(['COMMIT']);
    const all = 'select from entry where id in (1, 1000001) for update nowait';
    expect(await tags(other, all)).toEqual(['SELECT']);
  });

  it('whose end nobody has told the other shards is ended there by recovery', async () => {
    await prepare('yes', 1, 1_000_001, 2_000_001);
    await prepare('no', 3, 1_000_003);
    // As a worker does that dies right after it.
    await ask('a', "commit prepared 'yes'");
    await ask('a', "rollback prepared 'no'");
    await until(async () => (await prepared()).length === 0);
    expect(await notes()).toEqual(['1 yes', '1000001 yes', '2000001 yes']);
  });

  it.each([
    ['a constraint on the home shard', "insert into entry values (5, 'late')", '23514'],
    ['a constraint on another shard', "insert into entry values (1000005, 'late')", '23514'],
    ['what cannot be prepared', 'create temp table t (); select 1', '0A000'],
    ['a change of tables', 'create table other (id int)', '0A000'],
  ])('that fails by %s leaves nothing', async (_, cause, code) => {
    const client = await connect();
    const write = (id: number) => `insert into entry values (${id}, 'x')`;
    expect(await tags(client, 'begin', write(1), write(1_000_001))).toEqual([
      'BEGIN',
      'INSERT',
      'INSERT',
    ]);
    await client.query(cause);
    const warnings: (string | undefined)[] = [];
    client.on('notice', ({ message }) => warnings.push(message));
    expect(await tags(client, "prepare transaction 'x'", 'select 1')).toEqual([code, 'SELECT']);
    expect(warnings).toEqual([]);
    expect(await notes()).toEqual([]);
  });

  it('says what PostgreSQL says of its name', async () => {
    await prepare('taken', 1, 1_000_001);
    const client = await connect();
    const begun = [
      'begin',
      "insert into entry values (2, 'x')",
      "insert into entry values (1000002, 'x')",
    ];
    const done = ['BEGIN', 'INSERT', 'INSERT'];
    const again = "prepare transaction 'taken'";
    expect(await tags(client, ...begun, again, 'select 1')).toEqual([...done, '42710', 'SELECT']);
    expect(await prepared()).toEqual(['a taken', 'b part']);
    const long = `prepare transaction '${'x'.repeat(200)}'`;
    expect(await tags(client, ...begun, long, 'select 1')).toEqual([...done, '22023', 'SELECT']);
    const ours = "prepare transaction 'pgweave/a/1'";
    expect(await tags(client, ...begun, ours, 'select 1')).toEqual([...done, '0A000', 'SELECT']);
    expect(await tags(client, 'begin', 'select 1/0', again, 'select 1')).toEqual([
      'BEGIN',
      '22012',
      'ROLLBACK',
      'SELECT',
    ]);
    const end = "rollback prepared 'taken'";
    expect(await tags(client, 'begin', end, 'rollback')).toEqual(['BEGIN', '25001', 'ROLLBACK']);
    expect(await tags(client, `select 1; ${end}`, end)).toEqual(['25001', 'ROLLBACK']);
  });

  it('outlives the workers that prepared it, and those that end it', async () => {
    const gids = Array.from({ length: 16 }, (_, index) => `kept ${index}`);
    const clients = await Promise.all(gids.map(() => connect()));
    const begun = gids.map(async (gid, index) => {
      await clients[index]?.query('begin');
      for (const id of [100 + index, 1_000_100 + index, 2_000_100 + index]) {
        await clients[index]?.query('insert into entry values ($1, $2)', [id, gid]);
      }
    });
    await Promise.all(begun);
    const acknowledged = await underKills(gids, (gid, index) =>
      clients[index]?.query(`prepare transaction '${gid}'`),
    );
    const left = await leftPrepared();
    expect(left).toEqual(expect.arrayContaining([...acknowledged]));
    // Half of them one way, half the other, in sessions of workers that die as well.
    const isCommitted = (gid: string) => Number(gid.split(' ')[1]) % 2 === 0;
    const end = (gid: string) => `${isCommitted(gid) ? 'commit' : 'rollback'} prepared '${gid}'`;
    const enders = await Promise.all(left.map(() => connect()));
    await underKills(left, (gid, index) => enders[index]?.query(end(gid)));
    const client = await connect();
    for (const gid of left) expect(await tags(client, end(gid))).toEqual([expect.any(String)]);
    await until(async () => (await prepared()).length === 0);
    const wanted = left.filter(isCommitted).flatMap((gid) => [gid, gid, gid]);
    const found = (await notes()).map((note) => note.replace(/^\d+ /, ''));
    expect(found.sort()).toEqual(wanted.sort());
  });

  it('is committed or rolled back, not both, when two sessions end it', async () => {
    for (let round = 0; round < 5; round += 1) {
      await prepare(`round ${round}`, 10 + round, 1_000_010 + round, 2_000_010 + round);
      const [one, other] = [await connect(), await connect()];
      const [ended] = await Promise.all([
        tags(one, `commit prepared 'round ${round}'`),
        tags(other, `rollback prepared 'round ${round}'`),
      ]);
      await until(async () => (await prepared()).length === 0);
      const all = (await notes()).filter((note) => note.endsWith(`round ${round}`));
      expect(all).toHaveLength(ended[0] === 'COMMIT' ? 3 : 0);
    }
  });
});
