import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CopyClient, type CopyRequest } from '../../support/copy-client.ts';
import { WriteWorld } from '../../support/write-world.ts';

let world: WriteWorld;
let client: CopyClient;

beforeAll(async () => {
  world = await WriteWorld.start();
}, 60_000);

afterAll(() => world?.stop());

beforeEach(async () => {
  await world.clear();
  client?.close();
  client = await CopyClient.connect(world.addresses.proxy);
});

const text = 'copy account (id, owner, balance) from stdin';

async function run(sql: string, data?: string, more: Partial<CopyRequest> = {}): Promise<string> {
  const pieces = data === undefined ? {} : { data: [Buffer.from(data)] };
  const { tag, error, status } = await client.run({ text: sql, ...pieces, ...more });
  return `${error?.get('C') ?? tag} ${status}`;
}

async function stored(): Promise<readonly string[]> {
  const rows = await world.proxy.query('select id from account order by id');
  return rows.map(([id]) => id ?? '');
}

describe('COPY over shards', () => {
  it('joins the transaction of the client', async () => {
    expect(await run('begin')).toBe('BEGIN T');
    expect(await run(text, '1\ta\t1\n101\tb\t2\n')).toBe('COPY 2 T');
    expect(await stored()).toEqual([]);
    expect(await run('insert into account (id) values (201)')).toBe('INSERT 0 1 T');
    expect(await run(text, '2\ta\t1\n102\tb\t2\n', { protocol: 'extended' })).toBe('COPY 2 T');
    expect(await run('commit')).toBe('COMMIT I');
    expect(await stored()).toEqual(['1', '2', '101', '102', '201']);
  });

  it('is undone with it, and to a savepoint', async () => {
    await run('begin');
    await run(text, '1\ta\t1\n101\tb\t2\n');
    await run('savepoint s');
    expect(await run(text, '2\ta\t1\n201\tb\tx\n')).toBe('22P02 E');
    expect(await run(text, '3\ta\t1\n')).toBe('25P02 E');
    expect(await run('rollback to s')).toBe('ROLLBACK T');
    expect(await run(text, '3\ta\t1\n')).toBe('COPY 1 T');
    expect(await run('commit')).toBe('COMMIT I');
    expect(await stored()).toEqual(['1', '3', '101']);
    await run('begin');
    await run(text, '4\ta\t1\n104\tb\t2\n');
    expect(await run('rollback')).toBe('ROLLBACK I');
    expect(await stored()).toEqual(['1', '3', '101']);
  });

  it('is all or nothing by itself', async () => {
    expect(await run(text, '1\ta\t1\n101\tb\t2\n201\tc\tx\n')).toBe('22P02 I');
    expect(await run(text, '1\ta\t1\n101\tb\t2\n5000\tc\t3\n')).toBe('23514 I');
    expect(await stored()).toEqual([]);
    expect(await run(text, '1\ta\t1\n101\tb\t2\n201\tc\t3\n')).toBe('COPY 3 I');
    expect(await stored()).toEqual(['1', '101', '201']);
    for (const shard of world.shards) {
      expect(await shard.query('select count(*) from pg_prepared_xacts')).toEqual([['0']]);
    }
  });

  it('says in which line a key has no shard', async () => {
    const data = [Buffer.from('1\ta\t1\n101\tb\t2\n5000\tc\t3\n')];
    const { error } = await client.run({ text, data });
    expect([error?.get('C'), error?.get('W')]).toEqual([
      '23514',
      'COPY account, line 3, column id: "5000"',
    ]);
  });

  it('is one statement of several in a query string', async () => {
    const list = `insert into account (id) values (1), (101); ${text}; select 1`;
    expect(await run(list, '2\ta\t1\n102\tb\t2\n')).toBe('SELECT 1 I');
    expect(await run(list.replaceAll('1', '3'), '2\ta\t1\n')).toBe('23505 I');
    expect(await stored()).toEqual(['1', '2', '101', '102']);
  });

  it('stores nothing when the client leaves in the middle', async () => {
    const leaving = await CopyClient.connect(world.addresses.proxy);
    const rows = Array.from({ length: 40_000 }, (_, id) => `${id % 300}\t${id}\t${id}\n`).join('');
    void leaving.run({ text: `${text} where false`, data: [Buffer.from(rows)], fail: 'never' });
    leaving.socket.once('data', () => leaving.close());
    await expect.poll(() => world.proxy.query('select count(*) from account')).toEqual([['0']]);
    expect(await run(text, '1\ta\t1\n101\tb\t2\n')).toBe('COPY 2 I');
  });

  it('can be run again when a server was lost', async () => {
    const waiting = await CopyClient.connect(world.addresses.proxy);
    const answer = waiting.run({ text, data: [Buffer.from('1\ta\t1\n101\tb\t2\n')], never: true });
    const find =
      "select pid from pg_stat_activity where query like 'copy account%' and state = 'active'";
    await expect.poll(async () => (await world.shards[1]?.query(find))?.length).toBe(1);
    await world.shards[1]?.query(`select pg_terminate_backend(pid) from (${find}) found`);
    expect((await answer).error?.get('C')).toBe('40001');
    waiting.close();
    expect(await stored()).toEqual([]);
    expect(await run(text, '1\ta\t1\n101\tb\t2\n')).toBe('COPY 2 I');
  });

  it('is cancelled while it waits for data', async () => {
    const waiting = await CopyClient.connect(world.addresses.proxy);
    const answer = waiting.run({ text, data: [Buffer.from('1\ta\t1\n101\tb\t2\n')], never: true });
    const find =
      "select from pg_stat_activity where query like 'copy account%' and state = 'active'";
    await expect.poll(async () => (await world.shards[1]?.query(find))?.length).toBe(1);
    waiting.cancel();
    expect((await answer).error?.get('C')).toBe('57014');
    waiting.close();
    expect(await stored()).toEqual([]);
  });
});

describe('COPY into a reference table', () => {
  const copies = 'copy country (code, name, rank, seq, made, token) from stdin';
  const rows =
    'de\tGermany\t1\t1\t2024-01-01 00:00+00\t0.5\nfr\tFrance\t2\t2\t2024-01-01 00:00+00\t0.5\n';

  it('fills every copy alike', async () => {
    expect(await run(copies, rows)).toBe('COPY 2 I');
    for (const shard of world.shards) {
      expect(await shard.query('select code, seq from country order by 1')).toEqual([
        ['de', '1'],
        ['fr', '2'],
      ]);
    }
    expect(await run(copies, rows)).toBe('23505 I');
    expect(await run('copy country (code, name) from stdin', 'x\ty\n')).toBe('COPY 1 I');
    expect(
      await run('copy country from stdin (format csv, on_error ignore)', 'a,b,c,1,now,1\n'),
    ).toBe('COPY 0 I');
  });
});
