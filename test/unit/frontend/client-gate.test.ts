import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeQuery } from '../../../src/protocol/query-message.ts';
import { encodeCancelRequest } from '../../../src/protocol/startup-packet.ts';
import { loadParser } from '../../../src/sql/parser.ts';
import { until } from '../../support/pool-fixture.ts';
import { RawClient, startupPacket } from '../../support/raw-client.ts';
import { SessionStage } from '../../support/session-stage.ts';

let stage: SessionStage;
const clients: RawClient[] = [];

beforeAll(loadParser);
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await stage.stop();
});

async function connect(): Promise<RawClient> {
  const client = await RawClient.connect(stage.port);
  clients.push(client);
  return client;
}

async function logIn(): Promise<RawClient> {
  const client = await connect();
  client.socket.write(startupPacket({ user: 'app', database: 'shop' }));
  await until(() => client.readyCount === 1);
  return client;
}

function keyOf(client: RawClient): { backendId: number; secret: Buffer } {
  const body = client.messages('K')[0] ?? Buffer.alloc(4);
  return { backendId: body.readInt32BE(0), secret: body.subarray(4) };
}

async function cancel(key: { backendId: number; secret: Buffer }): Promise<void> {
  const client = await connect();
  client.socket.write(encodeCancelRequest(key));
  await until(() => client.ended);
}

const hanging = encodeQuery("select /* hang */ * from customer where cust_id = 'kim'");

describe('a cancel request', () => {
  it('needs the right secret', async () => {
    stage = await SessionStage.start();
    const client = await logIn();
    const { backendId, secret } = keyOf(client);
    client.socket.write(hanging);
    await until(() => stage.events.some(({ text }) => text.includes('hang')));
    for (const wrong of [Buffer.alloc(4), Buffer.alloc(32), secret.subarray(0, 3)]) {
      if (wrong.length >= 4) await cancel({ backendId, secret: wrong });
      else stage.gate.cancel({ backendId, secret: wrong });
    }
    stage.gate.cancel({ backendId: -1, secret });
    stage.gate.cancel({ backendId: backendId + 1, secret });
    expect(stage.events.some(({ text }) => text === 'CancelRequest')).toBe(false);
    await cancel({ backendId, secret });
    await until(() => client.sqlState === '57014');
  });

  it('for another worker is passed on', async () => {
    stage = await SessionStage.start();
    const key = { backendId: 3 * 2 ** 20 + 1, secret: Buffer.alloc(4) };
    await cancel(key);
    expect(stage.forwardedCancels).toEqual([key.backendId]);
  });

  it('is served while there are too many clients', async () => {
    stage = await SessionStage.start();
    const client = await logIn();
    client.socket.write(hanging);
    await until(() => stage.events.some(({ text }) => text.includes('hang')));
    stage.refusing = true;
    await cancel(keyOf(client));
    await until(() => client.sqlState === '57014');
  });

  it('gives up the wait for a shard without a primary', async () => {
    stage = await SessionStage.start();
    const client = await logIn();
    stage.losePrimary('e_o');
    client.socket.write(encodeQuery("select * from customer where cust_id = 'kim'"));
    client.socket.write(encodeQuery('select 1'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await cancel(keyOf(client));
    await until(() => client.readyCount === 3);
    expect(client.sqlState).toBe('57014');
  });
});

describe('a drain', () => {
  it('ends idle sessions at once and others at the end of their transaction', async () => {
    stage = await SessionStage.start();
    const idle = await logIn();
    const busy = await logIn();
    busy.socket.write(encodeQuery('begin'));
    await until(() => busy.readyCount === 2);
    let isOver = false;
    const over = stage.gate.drain(10_000).then(() => {
      isOver = true;
    });
    await until(() => idle.ended);
    expect(idle.sqlState).toBe('57P01');
    const late = await connect();
    late.socket.write(startupPacket({ user: 'app', database: 'shop' }));
    await until(() => late.ended);
    expect(late.sqlState).toBe('57P01');
    expect(busy.ended || isOver).toBe(false);
    busy.socket.write(encodeQuery('commit'));
    await until(() => busy.ended);
    expect(busy.readyCount).toBe(3);
    await over;
  });

  it('cuts off what is left after its time', async () => {
    stage = await SessionStage.start();
    const busy = await logIn();
    busy.socket.write(hanging);
    await until(() => stage.events.some(({ text }) => text.includes('hang')));
    await stage.gate.drain(30);
    await until(() => busy.ended);
    expect(busy.sqlState).toBe('57P01');
    expect(stage.gate.clientCount).toBe(0);
  });
});

describe('the list of clients', () => {
  it('says who is there and what they do', async () => {
    stage = await SessionStage.start();
    const client = await logIn();
    await logIn();
    client.socket.write(encodeQuery("begin; select * from customer where cust_id = 'kim'"));
    await until(() => client.readyCount === 2);
    const [first, second] = stage.gate.summaries();
    expect(first).toMatchObject({
      user: 'app',
      database: 'shop',
      state: 'in-transaction',
      shards: ['e_o'],
      address: '127.0.0.1',
      processId: keyOf(client).backendId,
    });
    expect(second).toMatchObject({ state: 'idle', shards: [] });
    client.close();
    await until(() => stage.gate.summaries().length === 1);
  });
});
