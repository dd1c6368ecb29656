import type { Client } from 'pg';
import { serialize } from 'pg-protocol';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { isRunning, pidTree } from '../../src/lab/pid-tree.ts';
import { RawClient, startupPacket } from '../support/raw-client.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

// Somebody with an account who wants more than it gives: one worker, so that whatever he does to it
// he does to his neighbour.

let served: ServedCluster;
let neighbour: Client;
let pids: readonly number[];

beforeAll(async () => {
  served = await ServedCluster.start({
    shards: ['a', 'b'],
    schema: `${entrySchema}; create table victim (id int)`,
    workers: 1,
    limits: 'session_bytes_max: 1MB, login_timeout: 2s',
    more: 'authentication: trust',
  });
  neighbour = await served.connect();
  await neighbour.query("insert into entry values (1, 'a'), (1000001, 'b')");
  pids = await pidTree(served.run.pid);
});

/** Nobody else was disturbed, nothing leaked, nothing crashed, nothing was said in plain text. */
afterEach(async () => {
  const answer = await neighbour.query('select note from entry order by id');
  expect(answer.rows).toEqual([{ note: 'a' }, { note: 'b' }]);
  expect((await neighbour.query('select count(*) from victim')).rowCount).toBe(1);
  await served.untilIdle();
  expect(pids.filter((pid) => !isRunning(pid))).toEqual([]);
  expect(served.run.log.filter(({ level }) => level === 'error')).toEqual([]);
  const plain = served.run.stderr.split('\n').filter((line) => line !== '' && line[0] !== '{');
  expect(plain).toEqual([]);
});

afterAll(async () => {
  await neighbour?.end();
  await served?.stop();
});

async function rawLogin(): Promise<RawClient> {
  const client = await RawClient.connect(served.port);
  client.socket.write(startupPacket({ user: 'app', database: 'app' }));
  await served.until('the login', () => client.readyCount === 1);
  return client;
}

/** How long the neighbour waits meanwhile, at most. */
async function neighbourWaits(attack: () => Promise<unknown>): Promise<number> {
  let over = false;
  let longestMs = 0;
  const watching = (async () => {
    while (!over) {
      const startedAt = systemClock.now();
      await neighbour.query('select note from entry where id = 1');
      longestMs = Math.max(longestMs, systemClock.now() - startedAt);
    }
  })();
  await attack();
  over = true;
  await watching;
  return longestMs;
}

describe('a client that says very much', () => {
  it('in one query string is answered, statement by statement', async () => {
    const client = await rawLogin();
    client.socket.write(serialize.query('begin;commit;'.repeat(20_000)));
    await served.until('the end', () => client.readyCount === 2, 30_000);
    expect(client.messages('C')).toHaveLength(40_000);
    client.close();
  });

  it('in one batch of messages is answered as any other', async () => {
    const client = await rawLogin();
    const once = [serialize.bind({ statement: 'b' }), serialize.execute({})];
    const parse = serialize.parse({ name: 'b', text: 'begin' });
    const batch = Buffer.concat(Array<Buffer>(20_000).fill(Buffer.concat(once)));
    client.socket.write(Buffer.concat([parse, batch, serialize.sync()]));
    await served.until('the end', () => client.readyCount === 2, 30_000);
    expect(client.messages('C')).toHaveLength(20_000);
    client.close();
  });

  it('in a pipeline of a million messages is answered', async () => {
    const client = await rawLogin();
    let received = 0;
    client.socket.removeAllListeners('data');
    client.socket.on('data', (chunk) => {
      received += chunk.length;
    });
    const block = Buffer.concat(Array<Buffer>(100_000).fill(serialize.sync()));
    const waitedMs = await neighbourWaits(async () => {
      for (let count = 0; count < 10; count++) client.socket.write(block);
      await served.until('the answers', () => received === 6_000_000, 40_000);
    });
    expect(waitedMs).toBeLessThan(5_000);
    client.close();
  });

  it('in one statement that is too deep is refused and goes on', async () => {
    const client = await served.connect();
    const deep = `select ${'case when a and b then '.repeat(20_000)}1${' end'.repeat(20_000)}`;
    await expect(client.query(deep)).rejects.toMatchObject({ code: '54001' });
    await expect(client.query({ text: deep, values: [] })).rejects.toMatchObject({ code: '54001' });
    expect((await client.query('select 7 as seven')).rows).toEqual([{ seven: 7 }]);
    await client.end();
  });
});

describe('what one session makes pgweave remember', () => {
  /** The first one that is refused. */
  async function untilRefused(client: Client, step: (index: number) => string): Promise<number> {
    for (let index = 0; index < 5_000; index++) {
      try {
        await client.query(step(index));
      } catch (error) {
        expect(error).toMatchObject({ code: '53400' });
        return index;
      }
    }
    throw new Error('nothing was refused');
  }

  const filler = 'x'.repeat(10_000);

  it.each([
    ['prepared statements', '', (index: number) => `prepare p${index} as select '${filler}'`],
    ['savepoints', 'begin', (index: number) => `savepoint /* ${filler} */ s${index}`],
    ['settings of a transaction', 'begin', () => `set local app.name = '${filler}'`],
    ['settings', '', (index: number) => `set app.name${index} = '${filler}'`],
  ])('is bounded: %s', async (_, before, step) => {
    const client = await served.connect();
    if (before !== '') await client.query(before);
    expect(await untilRefused(client, step)).toBeGreaterThan(30);
    await client.query('rollback');
    await client.query('discard all');
    await client.query(step(0)).catch(() => {});
    await client.query('rollback');
    expect((await client.query('select 7 as seven')).rows).toEqual([{ seven: 7 }]);
    await client.end();
  });

  it('is bounded: portals', async () => {
    const client = await rawLogin();
    client.socket.write(serialize.query('begin'));
    const portals = Array.from({ length: 300 }, (_, index) =>
      serialize.bind({ portal: `p${index}`, values: [filler] }),
    );
    const parse = serialize.parse({ text: 'select $1::text' });
    client.socket.write(Buffer.concat([parse, ...portals, serialize.sync()]));
    await served.until('the refusal', () => client.readyCount === 3);
    expect(client.sqlState).toBe('53400');
    client.socket.write(serialize.query('rollback'));
    await served.until('the end of the block', () => client.readyCount === 4);
    client.close();
  });
});

describe('a name', () => {
  const names: readonly string[] = [
    `"; drop table victim; --`,
    `'; drop table victim; --`,
    `\\'; drop table victim; --`,
    `a"b'c\\d`,
    'line\nbreak {"level":"error","msg":"forged"}',
    'line\r\n# HELP pgweave_forged x\npgweave_forged 1',
    '$$; drop table victim; $$',
    '\u202e\u0001\u001b[31m',
    'ü'.repeat(60),
    'constructor',
    '__proto__',
  ];
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

  it.each(names.map((name) => [JSON.stringify(name), name]))('says no SQL: %s', async (_, name) => {
    const client = await served.connect({ application_name: name, options: '-c work_mem=5MB' });
    const id = quoted(name);
    await client.query(`prepare ${id} as select 1`);
    expect((await client.query(`execute ${id}`)).rowCount).toBe(1);
    await client.query(`deallocate ${id}`);
    await client.query('begin');
    await client.query(`savepoint ${id}`);
    await client.query('select count(*) from entry');
    await client.query(`rollback to ${id}`);
    await client.query(`declare ${id} cursor for select * from entry order by id`);
    expect((await client.query(`fetch all from ${id}`)).rowCount).toBe(2);
    await client.query('commit');
    await client.query(`listen ${id}`);
    await client.query(`unlisten ${id}`);
    const value = `E'${name.replace(/['\\]/g, '\\$&')}'`;
    await client.query(`set app.name to ${value}`);
    await client.query(`select set_config('app.other', ${value}, false)`);
    const seen = await client.query(
      "select current_setting('app.name') as one, current_setting('app.other') as two",
    );
    expect(seen.rows).toEqual([{ one: name, two: name }]);
    await client.query('select note from entry where id = 1000001');
    await client.end();
  });

  it.each(['constructor', '__proto__', '__proto__.constructor'])(
    'that every object has names no setting: %s',
    async (name) => {
      const client = await served.connect();
      const unknown = { code: '42704' };
      if (!name.includes('.'))
        await expect(client.query(`set ${name} to 1`)).rejects.toMatchObject(unknown);
      await client.query(`set app.${name} to 1`);
      expect((await client.query(`show app.${name}`)).rows).toHaveLength(1);
      await client.end();
      const stranger = await RawClient.connect(served.port);
      stranger.socket.write(startupPacket({ user: 'app', database: 'app', [name]: '1' }));
      await served.until(
        'an answer',
        () => stranger.messages('R').length + stranger.messages('E').length > 0,
      );
      stranger.close();
    },
  );

  it.each(names.map((name) => [JSON.stringify(name), name]))(
    'of nobody says nothing in log or metrics: %s',
    async (_, name) => {
      for (const parameters of [
        { user: name, database: 'app' },
        { user: 'app', database: name },
        { user: 'app', database: 'app', [name]: 'x' },
        { user: 'app', database: 'app', options: `-c ${name}=1` },
      ]) {
        const client = await RawClient.connect(served.port);
        client.socket.write(startupPacket(parameters));
        await served.until('the refusal', () => client.ended || client.readyCount > 0);
        client.close();
      }
      const { text } = await served.page('/metrics');
      expect(text).not.toMatch(/forged|drop table/);
      expect(served.run.log.filter(({ msg }) => msg === 'forged')).toEqual([]);
    },
  );

  it('of a megabyte costs its client an error at most', async () => {
    const client = await served.connect();
    const long = quoted('n'.repeat(1_000_000));
    for (const text of [
      `prepare ${long} as select 1`,
      `deallocate ${long}`,
      `listen ${long}`,
      `begin; savepoint ${long}; select count(*) from entry; rollback`,
      `set ${long} to 1`,
      `select 1 as ${long}`,
    ]) {
      await client.query(text).catch(() => {});
      await client.query('rollback');
    }
    expect((await client.query('select 7 as seven')).rows).toEqual([{ seven: 7 }]);
    await client.end();
  });
});

describe('the admin console', () => {
  const commands = [
    [`show clients; drop table victim`],
    [`pause shard "a'; drop table victim; --"`],
    [`resolve 'pgweave/a/0123456789abcdef/1''; drop table victim; --' commit`],
    [`show ${'x'.repeat(100_000)}`],
    [`${'('.repeat(900)}`],
    [`set application_name = 'line\nbreak'; reload`],
  ].flat();

  it.each(commands.map((text) => [JSON.stringify(text.slice(0, 60)), text]))(
    'takes commands of its own only: %s',
    async (_, text) => {
      const client = await served.connect({ database: 'pgweave' });
      await client.query(text).catch((error: unknown) => {
        expect(error).toHaveProperty('code');
      });
      expect((await client.query('show version')).rows).toHaveLength(1);
      await client.end();
    },
  );
});
