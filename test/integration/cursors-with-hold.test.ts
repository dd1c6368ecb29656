import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BothSides } from '../support/both-sides.ts';
import { entrySchema } from '../support/served-cluster.ts';

const overShards = 'select id, note from entry order by id';

let sides: BothSides;

beforeAll(async () => {
  sides = await BothSides.start({ shards: ['a', 'b'], schema: entrySchema });
  const rows = `select k + g, 'note ' || g from generate_series(0, 499) g, (values (0), (1000000)) k(k)`;
  const { served, plain } = await sides.run([`insert into entry ${rows}`]);
  expect(served).toEqual(plain);
});

afterAll(async () => {
  await sides?.stop();
});

describe('cursors WITH HOLD', () => {
  it.each([
    ['of the home shard', 'select g from generate_series(1, 5) g'],
    ['of another shard', 'select g, note from entry, generate_series(1, 5) g where id = 1000001'],
  ])('outlive their transaction: %s', async (_, query) => {
    const { served, plain } = await sides.run([
      `declare held scroll cursor with hold for ${query}`,
      'fetch 2 from held',
      'select count(*) from entry',
      'fetch backward 1 from held',
      'begin',
      'fetch 1 from held',
      'savepoint s',
      `declare other cursor with hold for ${query}`,
      'rollback to s',
      'fetch 1 from held',
      'fetch 1 from other',
      'rollback',
      'fetch 1 from held',
      'begin',
      'declare lost cursor with hold for select 1',
      'declare short cursor for select 1',
      'rollback',
      'fetch from lost',
      'begin',
      'declare late cursor with hold for select 2',
      'commit',
      'fetch from late',
      'close all',
      'fetch from late',
      'fetch from held',
      'declare held cursor with hold for select 3',
      'close held',
      'close held',
      'declare held cursor with hold for select 4',
      'discard all',
      'fetch from held',
    ]);
    expect(served).toEqual(plain);
    await sides.served.untilIdle();
    const pools = await sides.served.console('show pools');
    expect(pools.filter(({ reserved }) => reserved !== '0')).toEqual([]);
  });

  it.each([
    ['read from the shards', overShards],
    ['gathered', 'select id, row_number() over (order by note desc, id) from entry'],
    ['of one group', 'select count(*), sum(id) from entry'],
  ])('outlive their transaction over several shards: %s', async (_, query) => {
    const { served, plain } = await sides.run([
      `declare held scroll cursor with hold for ${query}`,
      'fetch 2 from held',
      'fetch backward 1 from held',
      'begin',
      `declare other no scroll cursor with hold for ${query}`,
      'fetch 3 from other',
      "update entry set note = 'later' where id = 1000003",
      `declare whole scroll cursor with hold for ${query}`,
      'move 5 in whole',
      'savepoint s',
      `declare gone cursor with hold for ${query}`,
      'rollback to s',
      'delete from entry where id > 1000400',
      'commit',
      'fetch from gone',
      'fetch 2 from other',
      'fetch relative 2 from other',
      'fetch prior from other',
      'fetch absolute 1 from other',
      'fetch -3 from whole',
      'fetch last from whole',
      'fetch first from held',
      'begin',
      'fetch 1 from held',
      'rollback',
      'fetch 1 from held',
      'select 1 / 0',
      'begin',
      'fetch 1 from nothing',
      'fetch 1 from other',
      'commit',
      'fetch all from other',
      'fetch all from other',
      'close other',
      'fetch from other',
      'fetch all from whole',
      'close all',
      'fetch from held',
      `insert into entry select g, 'note ' || g - 1000000 from generate_series(1000401, 1000499) g`,
      "update entry set note = 'note 3' where id = 1000003",
    ]);
    expect(served).toEqual(plain);
  });

  it('over several shards end with a transaction that fails, one of their rows included', async () => {
    const wrong = 'select id, 10 / (id - 5) from entry order by id';
    const { served, plain } = await sides.run([
      `declare c cursor with hold for ${wrong}`,
      'fetch from c',
      'begin',
      `declare c cursor with hold for ${wrong}`,
      "insert into entry values (1900001, 'not committed')",
      'fetch 2 from c',
      'commit',
      'fetch from c',
      'select count(*) from entry where id = 1900001',
      'begin',
      `declare c cursor with hold for ${overShards}`,
      'rollback',
      'fetch from c',
      'begin',
      `declare c cursor with hold for ${overShards}`,
      'select 1 / 0',
      'commit',
      'fetch from c',
      'begin',
      `declare c cursor with hold for ${wrong}`,
      'savepoint s',
      'fetch 9 from c',
      'rollback to s',
      'commit',
      'fetch from c',
      'begin',
      `declare c cursor with hold for ${overShards}`,
      "prepare transaction 'holding'",
      'fetch from c',
      'declare c cursor for select 1',
    ]);
    expect(served).toEqual(plain);
    await sides.served.untilIdle();
  });

  it('over several shards are gone when the rest of their message fails', async () => {
    const message = `declare c cursor with hold for ${overShards}; select 1 / 0`;
    const { served, plain } = await sides.run([
      message,
      'fetch from c',
      message.replace('1 / 0', '1'),
      'fetch 2 from c',
      'discard all',
      'fetch from c',
    ]);
    expect(served).toEqual(plain);
  });

  it('over several shards give their rows to Execute, and not in another form', async () => {
    const client = await sides.served.connect();
    await client.query(
      'declare c cursor with hold for select id from entry where note = $1 order by 1',
      ['note 7'],
    );
    const { rows } = await client.query({ text: 'fetch 1 from c', name: 'fetch' });
    expect(rows).toEqual([{ id: 7 }]);
    await client.query("set bytea_output to 'escape'");
    await expect(client.query('fetch 1 from c')).rejects.toMatchObject({ code: '0A000' });
    await client.query('reset bytea_output');
    expect((await client.query('fetch 2 from c')).rows).toEqual([{ id: 1_000_007 }]);
    await client.end();
  });

  it('over several shards hold no more than a session may have, all together', async () => {
    const client = await sides.served.connect();
    const long = "select repeat('x', 50000) as long from entry";
    await client.query(`declare a cursor with hold for ${long}`);
    await expect(client.query(`declare b cursor with hold for ${long}`)).rejects.toMatchObject({
      code: '53400',
      message: expect.stringContaining('limits.session_bytes_max'),
    });
    expect((await client.query('fetch 1000 from a')).rows).toHaveLength(1000);
    await client.query('close a');
    await client.query(`declare b cursor with hold for ${long}`);
    await client.query('begin');
    await client.query(`declare c cursor with hold for ${long}`);
    await expect(client.query('commit')).rejects.toMatchObject({ code: '53400' });
    await expect(client.query('fetch 1 from c')).rejects.toMatchObject({ code: '34000' });
    await client.end();
    await sides.served.untilIdle();
  });

  it('share that with what RETURNING over shards keeps for a row limit', async () => {
    const [client, other] = [await sides.served.connect(), await sides.served.connect()];
    const returning = (length: number) => ({
      text: `update entry set note = note || '!' where id < 1000100 returning repeat('x', ${length}) as long`,
      rows: 100,
    });
    await client.query('begin');
    for (let times = 0; times < 3; times += 1) {
      expect((await client.query(returning(50_000))).rows).toHaveLength(600);
    }
    await client.query('rollback');
    await expect(client.query(returning(200_000))).rejects.toMatchObject({
      code: '53400',
      message: expect.stringContaining('limits.session_bytes_max'),
    });
    // The driver does not sync after an error with a row limit.
    await client.end();
    const changed = await other.query("select count(*) from entry where note like '%!'");
    expect(changed.rows).toEqual([{ count: '0' }]);
    await other.end();
    await sides.served.untilIdle();
  });

  it('live as long as their transaction without it', async () => {
    const { served, plain } = await sides.run(['declare c cursor for select id from entry']);
    expect(served).toEqual(plain);
  });

  it('over several shards are given up when the client leaves while they are read', async () => {
    const client = await sides.served.connect();
    client.on('error', () => {});
    const slow = 'select id, pg_sleep(0.01) from entry';
    const declared = client.query(`declare c cursor with hold for ${slow}`).catch(() => null);
    await setTimeout(150);
    (
      client as unknown as { connection: { stream: { destroy(): void } } }
    ).connection.stream.destroy();
    await declared;
    await sides.served.untilIdle();
  });
});
