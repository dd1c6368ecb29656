import type { Client, Notification } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitUntil } from '../../../src/lab/wait-until.ts';
import { BothSides } from '../../support/both-sides.ts';
import { entrySchema } from '../../support/served-cluster.ts';

let sides: BothSides;

beforeAll(async () => {
  const limits = 'server_connections_max: 4, reserved_connections_max: 2';
  sides = await BothSides.start({ shards: ['a', 'b'], schema: entrySchema, workers: 1, limits });
});

afterAll(async () => {
  await sides?.stop();
});

type Heard = { readonly channel: string; readonly payload: string; readonly isOwn: boolean };

/** What a listener hears of what it and another session send, on one side. */
async function heard(connect: () => Promise<Client>, act: Act): Promise<readonly Heard[]> {
  const [listener, sender] = await Promise.all([connect(), connect()]);
  const found: Heard[] = [];
  const { processID } = listener as unknown as { processID: number };
  listener.on('notification', ({ channel, payload = '', processId }: Notification) => {
    found.push({ channel, payload, isOwn: processId === processID });
  });
  await act(listener, sender);
  // What was sent before has arrived when this has.
  await listener.query('listen over');
  await sender.query('notify over');
  await waitUntil(() => found.some(({ channel }) => channel === 'over'), {
    timeoutMs: 5000,
    pollMs: 5,
  });
  await Promise.all([listener.end(), sender.end()]);
  return found;
}

type Act = (listener: Client, sender: Client) => Promise<unknown>;

async function same(act: Act): Promise<readonly Heard[]> {
  const [served, plain] = await Promise.all([
    heard(() => sides.served.connect(), act),
    heard(() => sides.connectPlain(), act),
  ]);
  expect(served).toEqual(plain);
  return served;
}

describe('notifications', () => {
  it('reach an idle listener', async () => {
    const found = await same(async (listener, sender) => {
      await listener.query('listen news');
      await sender.query("notify news, 'one'");
      await sender.query('select pg_notify($1, $2)', ['news', 'two']);
      await sender.query("notify other, 'not for it'");
    });
    expect(found.map(({ payload }) => payload)).toEqual(['one', 'two', '']);
  });

  it('are known as its own by the session that has sent them', async () => {
    await same(async (listener) => {
      await listener.query('listen news');
      await listener.query("notify news, 'own'");
    });
  });

  it('wait for COMMIT on both sides, and are not sent by ROLLBACK', async () => {
    await same(async (listener, sender) => {
      await listener.query('begin');
      await listener.query('listen news');
      await listener.query('commit');
      await sender.query('begin');
      await sender.query("notify news, 'undone'");
      await sender.query('rollback');
      await sender.query('begin');
      await sender.query("insert into entry values (1000007, 'x')");
      await sender.query("notify news, 'done'");
      await sender.query("insert into entry values (7, 'x')");
      await sender.query('commit');
      await sender.query('delete from entry');
    });
  });

  it('wait for the end of the transaction of the listener', async () => {
    const orders: (readonly string[])[] = [];
    await same(async (listener, sender) => {
      const order: string[] = [];
      orders.push(order);
      await listener.query('listen news');
      await listener.query('begin');
      listener.on('notification', ({ channel }) => order.push(channel));
      await listener.query('select * from entry where id = 1000001');
      await sender.query("notify news, 'late'");
      await listener.query('select * from entry where id = 1000001');
      order.push('commit');
      await listener.query('commit');
    });
    for (const order of orders) expect(order.slice(0, 2)).toEqual(['commit', 'news']);
  });

  it.each([['unlisten news'], ['unlisten *'], ['discard all']])('end with %s', async (end) => {
    await same(async (listener, sender) => {
      await listener.query('listen news');
      await listener.query(end);
      await sender.query("notify news, 'unheard'");
    });
    await sides.served.untilIdle();
  });

  it('do not reach who has listened only in a transaction that was undone', async () => {
    await same(async (listener, sender) => {
      await listener.query('begin');
      await listener.query('listen news');
      await listener.query('rollback');
      await sender.query("notify news, 'unheard'");
    });
    await sides.served.untilIdle();
  });

  it('are for as many listeners as connections may be reserved', async () => {
    const clients = await Promise.all([1, 2, 3].map(() => sides.served.connect()));
    const [one, two, three] = clients;
    await one?.query('listen a');
    await two?.query('listen a');
    await expect(three?.query('listen a')).rejects.toMatchObject({ code: '53300' });
    const reserved = await sides.served.console('show pools');
    expect(reserved.map((row) => row['reserved'])).toEqual(['2', '0']);
    // Others go on, and so does the one that was refused.
    expect((await three?.query('select 1 as one'))?.rows).toEqual([{ one: 1 }]);
    await one?.end();
    await sides.served.until('one to be free', async () => {
      const pools = await sides.served.console('show pools');
      return pools[0]?.['reserved'] === '1';
    });
    await three?.query('listen a');
    await Promise.all([two?.end(), three?.end()]);
    await sides.served.untilIdle();
  });
});
