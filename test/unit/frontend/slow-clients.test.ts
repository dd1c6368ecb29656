import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeCommandComplete } from '../../../src/protocol/command-complete.ts';
import { encodeDataRow } from '../../../src/protocol/data-row.ts';
import { encodeQuery } from '../../../src/protocol/query-message.ts';
import { readyForQuery } from '../../../src/protocol/ready-for-query.ts';
import { loadParser } from '../../../src/sql/parser.ts';
import type { FakeSession } from '../../support/fake-server.ts';
import { until } from '../../support/pool-fixture.ts';
import { RawClient, startupPacket } from '../../support/raw-client.ts';
import { SessionStage } from '../../support/session-stage.ts';

const kilobyte = 1024;
const megabyte = kilobyte * kilobyte;
const limits = { clientBufferBytes: 64 * kilobyte };
const pointRead = encodeQuery("select * from customer where cust_id = 'kim'");

let stage: SessionStage;
const clients: RawClient[] = [];

beforeAll(loadParser);
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await stage.stop();
});

async function logIn(): Promise<RawClient> {
  const client = await RawClient.connect(stage.port);
  clients.push(client);
  client.socket.write(startupPacket({ user: 'app', database: 'shop' }));
  await until(() => client.readyCount === 1);
  client.received = Buffer.alloc(0);
  return client;
}

/** The server of shard e_o answers every query with this. */
function answerWith(write: (session: FakeSession) => void): void {
  const shard = stage.shard('e_o');
  if (shard === undefined) throw new Error('no shard e_o');
  shard.server.script = { onQuery: (session) => write(session) };
}

/** Answers with `rows` of 64 KB as fast as the socket takes them; counts what was taken. */
function manyRows(rows: number, sent: { count: number }): (session: FakeSession) => void {
  const row = encodeDataRow(['x'.repeat(64 * kilobyte)]);
  return ({ socket }) => {
    const next = (): void => {
      while (sent.count < rows) {
        sent.count += 1;
        if (!socket.write(row)) {
          socket.once('drain', next);
          return;
        }
      }
      socket.write(Buffer.concat([encodeCommandComplete(`SELECT ${rows}`), readyForQuery.idle]));
    };
    next();
  };
}

describe('a client that does not read', () => {
  it('stops its server, not the memory, and gets everything when it reads again', async () => {
    stage = await SessionStage.start({}, limits);
    const client = await logIn();
    const sent = { count: 0 };
    const rows = 1000;
    answerWith(manyRows(rows, sent));
    client.socket.pause();
    client.socket.write(pointRead);
    let before = -1;
    while (before !== sent.count) {
      before = sent.count;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // What the kernel's buffers and ours hold; the rest waits in the server.
    expect(sent.count).toBeLessThan(rows / 2);
    let bytes = 0;
    client.socket.removeAllListeners('data');
    client.socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    client.socket.resume();
    await until(() => sent.count === rows && bytes > rows * 64 * kilobyte);
  });

  it('delays nobody else', async () => {
    stage = await SessionStage.start({}, limits);
    const slow = await logIn();
    const other = await logIn();
    answerWith(manyRows(500, { count: 0 }));
    slow.socket.pause();
    slow.socket.write(pointRead);
    other.socket.write(encodeQuery('select 1'));
    await until(() => other.readyCount === 1);
  });

  it('gets no further questions answered', async () => {
    stage = await SessionStage.start({}, limits);
    const client = await logIn();
    let queries = 0;
    const answer = Buffer.concat([
      encodeDataRow(['x'.repeat(60 * kilobyte)]),
      encodeCommandComplete('SELECT 1'),
      readyForQuery.idle,
    ]);
    answerWith(({ socket }) => {
      queries += 1;
      socket.write(answer);
    });
    client.socket.pause();
    const all = 1000;
    for (let index = 0; index < all; index++) client.socket.write(pointRead);
    let before = -1;
    while (before !== queries) {
      before = queries;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(queries).toBeLessThan(all / 2);
    client.socket.removeAllListeners('data');
    client.socket.resume();
    await until(() => queries === all);
  });
});

describe('a client', () => {
  it('gets a row that is longer than all our buffers', async () => {
    stage = await SessionStage.start({}, limits);
    const client = await logIn();
    const value = 'x'.repeat(20 * megabyte);
    const row = encodeDataRow([value]);
    answerWith(({ socket }) =>
      socket.write(Buffer.concat([row, encodeCommandComplete('SELECT 1'), readyForQuery.idle])),
    );
    const chunks: Buffer[] = [];
    client.socket.removeAllListeners('data');
    client.socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    client.socket.write(pointRead);
    await until(() => chunks.at(-1)?.at(-6) === 'Z'.charCodeAt(0));
    const received = Buffer.concat(chunks);
    expect(received.subarray(0, row.length).equals(row)).toBe(true);
  });

  it('may send its messages byte by byte', async () => {
    stage = await SessionStage.start({}, limits);
    const client = await logIn();
    await client.writeBytes(Buffer.concat([pointRead, pointRead]));
    await until(() => client.readyCount === 2);
  });

  it('may send very many queries at once', async () => {
    stage = await SessionStage.start({}, limits);
    const client = await logIn();
    const all = 2000;
    client.socket.write(Buffer.concat(new Array<Buffer>(all).fill(pointRead)));
    await until(() => client.readyCount === all);
  });

  it('may send a message up to the limit, and no longer one', async () => {
    stage = await SessionStage.start({}, { messageBytesMax: 200 * kilobyte });
    const atLimit = encodeQuery('select 1'.padEnd(200 * kilobyte - 6));
    expect(atLimit.length).toBe(200 * kilobyte);
    const client = await logIn();
    client.socket.write(atLimit);
    await until(() => client.readyCount === 1);
    client.socket.write(encodeQuery('select 1'.padEnd(200 * kilobyte - 5)));
    await until(() => client.ended);
    expect(client.sqlState).toBe('08P01');
  });

  it('reads our last words even when it is still sending', async () => {
    stage = await SessionStage.start({}, limits);
    const client = await logIn();
    client.socket.write(Buffer.concat([Buffer.from([0, 0, 0, 0, 4]), Buffer.alloc(5 * megabyte)]));
    await until(() => client.ended);
    expect(client.sqlState).toBe('08P01');
  });
});
