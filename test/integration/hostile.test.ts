import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Client } from 'pg';
import { serialize } from 'pg-protocol';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { isRunning, pidTree } from '../../src/lab/pid-tree.ts';
import { RawClient, requestPacket, startupPacket } from '../support/raw-client.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

// Its answer is 100 MB, of either protocol.
const hugeSql = "select repeat('x', 10000) from generate_series(1, 10000)";
// Hours of reading. A write would be finished, as PostgreSQL does.
const longSql = 'select count(*) from generate_series(1, 1000000000000)';
// A quarter of what the four clients do not read; a proxy's first statements take 60 MB of their own.
const unreadBytesMax = 100 * 1024 ** 2;
const hugeOverShards =
  "select repeat('x', 10000) as filler from entry, generate_series(1, 5000) where id in (1, 1000001)";

let served: ServedCluster;
let neighbour: Client;
let pids: readonly number[];

beforeAll(async () => {
  served = await ServedCluster.start({
    shards: ['a', 'b'],
    schema: entrySchema,
    limits: 'login_timeout: 1s, message_bytes_max: 1MB, client_buffer_bytes: 256kB',
    more: 'authentication: trust',
  });
  neighbour = await served.connect();
  await neighbour.query("insert into entry values (1, 'a')");
  await neighbour.query("insert into entry values (1000001, 'b')");
  pids = await pidTree(served.run.pid);
});

const connected: RawClient[] = [];

/** Nobody else was disturbed, nothing leaked, nothing crashed. */
afterEach(async () => {
  // What a failed test left must not fail the next.
  for (const client of connected.splice(0)) client.close();
  expect((await neighbour.query('select note from entry where id = 1')).rows).toEqual([
    { note: 'a' },
  ]);
  await served.untilIdle();
  expect(pids.filter((pid) => !isRunning(pid))).toEqual([]);
  await served.until('the clients to be gone', async () => {
    return (await served.console('show clients')).length <= 2;
  });
  expect(served.run.log.filter(({ level }) => level === 'error')).toEqual([]);
});

afterAll(async () => {
  await neighbour?.end();
  await served?.stop();
});

async function connect(): Promise<RawClient> {
  const client = await RawClient.connect(served.port);
  connected.push(client);
  return client;
}

async function login(): Promise<RawClient> {
  const client = await connect();
  client.socket.write(startupPacket({ user: 'app', database: 'app' }));
  await until(client, () => client.readyCount === 1);
  return client;
}

async function until(client: RawClient, reached: () => boolean, timeoutMs = 5_000): Promise<void> {
  const deadline = systemClock.now() + timeoutMs;
  while (!reached()) {
    if (systemClock.now() > deadline)
      throw new Error(`received: ${client.received.subarray(-500)}`);
    await sleep(5);
  }
}

function header(code: string, length: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.write(code);
  bytes.writeInt32BE(length, 1);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

describe('a stranger', () => {
  it.each([
    ['garbage', randomBytes(5_000)],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a length of 2 GB', Buffer.concat([int32(0x7fffffff), int32(196_608)])],
    ['a negative length', Buffer.concat([int32(-5), int32(196_608)])],
    ['a length of 3', Buffer.concat([int32(3), int32(196_608)])],
    ['no terminator', Buffer.concat([int32(16), int32(196_608), Buffer.from('userapp!')])],
    ['a name without its value', startupPacket({ user: 'app' }).fill(1, 8)],
    ['protocol 2', Buffer.concat([int32(8), int32(131_072)])],
    ['TLS unasked', Buffer.from('16030100f5010000f1', 'hex')],
    ['SSLRequest for ever', Buffer.concat(Array(100).fill(requestPacket(80_877_103)))],
    ['a cancel key too short', Buffer.concat([int32(9), int32(80_877_102), Buffer.from('x')])],
  ])('who sends %s is let go of', async (_, bytes) => {
    const client = await connect();
    client.socket.write(bytes);
    await until(client, () => client.ended);
    expect(client.readyCount).toBe(0);
  });

  it('who says nothing, or one byte at a time, is let go of after login_timeout', async () => {
    const startedAt = systemClock.now();
    const silent = await connect();
    const slow = await connect();
    const packet = startupPacket({ user: 'app', database: 'app', options: ' '.repeat(2_000) });
    const feeding = (async () => {
      for (const byte of packet) {
        if (slow.ended) return;
        slow.socket.write(Buffer.from([byte]));
        await sleep(20);
      }
    })();
    await until(silent, () => silent.ended);
    await until(slow, () => slow.ended);
    expect(systemClock.now() - startedAt).toBeGreaterThan(900);
    expect(systemClock.now() - startedAt).toBeLessThan(3_000);
    await feeding;
  });

  it('learns nothing from a cancel key that he guesses', async () => {
    const running = neighbour.query('select pg_sleep(0.3)');
    for (let guess = 0; guess < 200; guess++) {
      const client = await connect();
      const key = Buffer.concat([int32(guess % 20), randomBytes(4)]);
      client.socket.write(Buffer.concat([int32(16), int32(80_877_102), key]));
      client.socket.end();
    }
    expect((await running).rowCount).toBe(1);
  });
});

describe('a client', () => {
  it.each([
    ['an unknown message', header('!', 4)],
    ['a negative length', header('Q', -1)],
    ['a length of 3', header('Q', 3)],
    ['a message of 2 GB', header('Q', 0x7fffffff)],
    ['a query without its end', Buffer.concat([header('Q', 8), Buffer.from('sele')])],
    ['a Bind that is cut off', Buffer.concat([header('B', 7), Buffer.from([0, 0, 0])])],
    [
      'a Bind of 65535 values',
      Buffer.concat([header('B', 10), Buffer.from([0, 0, 0, 0, 255, 255])]),
    ],
    ['a Parse that ends early', Buffer.concat([header('P', 5), Buffer.from([0])])],
    ['a Describe of nothing', Buffer.concat([header('D', 6), Buffer.from('x\0')])],
    ['a Sync with a body', Buffer.concat([header('S', 8), Buffer.from('body')])],
    ['bad UTF-8', Buffer.concat([header('Q', 8), Buffer.from([0xff, 0xfe, 0xc0, 0])])],
    ['COPY data unasked', Buffer.concat([header('d', 8), Buffer.from('data')])],
    ['an authentication unasked', Buffer.concat([header('p', 8), Buffer.from('pwd\0')])],
    ['a function call', Buffer.concat([header('F', 8), Buffer.from([0, 0, 0, 1])])],
    [
      'a CopyFail with NULs in its reason',
      Buffer.concat([
        serialize.query('copy entry from stdin'),
        header('f', 9),
        Buffer.from('a\0b\0c'),
      ]),
    ],
  ])('who sends %s hears of it, or goes on', async (_, bytes) => {
    const client = await login();
    client.socket.write(Buffer.concat([bytes, serialize.sync(), serialize.query('select 7')]));
    await until(client, () => client.ended || client.messages('D').length > 0);
    if (client.ended) expect(client.sqlState).toMatch(/^(08P01|22021|0A000)$/);
    client.close();
  });

  it('who sends bytes by bytes is answered as any other', async () => {
    const client = await login();
    const messages = [
      serialize.parse({ text: 'select $1::int', types: [] }),
      serialize.bind({ values: ['42'] }),
      serialize.describe({ type: 'P' }),
      serialize.execute({}),
      serialize.sync(),
      serialize.query('select note from entry where id = 1000001'),
    ];
    await client.writeBytes(Buffer.concat(messages));
    await until(client, () => client.readyCount === 3);
    expect(client.messages('D').map(String)).toEqual([
      '\0\u0001\0\0\0\u000242',
      '\0\u0001\0\0\0\u0001b',
    ]);
    client.close();
  });

  it.each([
    ['from one shard', serialize.query(hugeSql)],
    ['over shards', serialize.query(hugeOverShards)],
    [
      'prepared',
      Buffer.concat([
        serialize.parse({ text: hugeSql }),
        serialize.bind({}),
        serialize.execute({}),
        serialize.sync(),
      ]),
    ],
  ])('who never reads a huge answer (%s) costs little memory', async (_, message) => {
    const clients = await Promise.all(Array.from({ length: 4 }, login));
    const before = residentBytes();
    for (const client of clients) {
      client.socket.pause();
      client.socket.write(message);
    }
    await sleep(700);
    const startedAt = systemClock.now();
    await neighbour.query('select note from entry where id = 1000001');
    expect(systemClock.now() - startedAt).toBeLessThan(500);
    expect(residentBytes() - before).toBeLessThan(unreadBytesMax);
    for (const client of clients) client.close();
  });

  it('who asks for ever without reading costs little memory', async () => {
    const client = await login();
    client.socket.pause();
    const before = residentBytes();
    const block = Buffer.concat(Array(2_000).fill(serialize.query("select repeat('y', 200)")));
    for (let sent = 0; sent < 300 && client.socket.writableLength < 4 * 1024 ** 2; sent++) {
      client.socket.write(block);
      await sleep(2);
    }
    expect(client.socket.writableLength).toBeGreaterThan(0);
    expect(residentBytes() - before).toBeLessThan(unreadBytesMax);
    client.close();
  });
});

describe('a client that disappears', () => {
  const parsed = serialize.parse({ text: longSql });
  const copy = serialize.query('copy setting from stdin');
  const cases: readonly (readonly [string, readonly Buffer[]])[] = [
    ['after its login', []],
    ['within a message', [serialize.query('select 1').subarray(0, 7)]],
    ['in a running query', [serialize.query(longSql)]],
    [
      'in a running prepared query',
      [parsed, serialize.bind({}), serialize.execute({}), serialize.sync()],
    ],
    ['after Flush', [parsed, serialize.bind({}), serialize.flush()]],
    ['before Sync', [parsed, serialize.bind({}), serialize.execute({})]],
    ['in a transaction', [serialize.query("begin; insert into entry values (5, 'x')")]],
    ['in a transaction over shards', [serialize.query('begin; select count(*) from entry')]],
    ['in a failed transaction', [serialize.query('begin'), serialize.query('select 1/0')]],
    ['in COPY', [copy]],
    ['in COPY with data', [copy, serialize.copyData(Buffer.from('a\tb\n'))]],
    ['in COPY out', [serialize.query(`copy (${hugeSql}) to stdout`)]],
    ['with an answer unread', [serialize.query(hugeSql)]],
    ['with an answer over shards unread', [serialize.query(hugeOverShards)]],
    ['with a cursor', [serialize.query('begin; declare c cursor for select 1; fetch 1 from c')]],
    [
      'with a suspended portal over shards',
      [
        serialize.query('begin'),
        serialize.parse({ text: 'select * from entry order by id' }),
        serialize.bind({}),
        serialize.execute({ rows: 1 }),
        serialize.flush(),
      ],
    ],
    ['waiting for a lock', [serialize.query('select pg_advisory_xact_lock(77)')]],
    ['listening', [serialize.query('listen news')]],
  ];

  it.each(cases)('%s leaves nothing behind', async (_, messages) => {
    const holder = await served.connect();
    await holder.query('begin; select pg_advisory_xact_lock(77)');
    for (const close of [
      (client: RawClient) => client.close(),
      (client: RawClient) => client.socket.resetAndDestroy(),
      (client: RawClient) => client.socket.end(serialize.end()),
    ]) {
      const client = await login();
      for (const message of messages) {
        client.socket.write(message);
        await sleep(10);
      }
      client.socket.pause();
      await sleep(20);
      close(client);
      client.socket.resume();
    }
    await holder.end();
    await served.untilIdle();
  });

  it('two hundred times at once disturbs nobody', async () => {
    const storm = Array.from({ length: 200 }, async (_, index) => {
      const client = await connect();
      if (index % 4 > 0) client.socket.write(startupPacket({ user: 'app', database: 'app' }));
      if (index % 4 > 1) client.socket.write(serialize.query('select * from entry where id = 1'));
      if (index % 4 > 2) await until(client, () => client.readyCount === 2, 10_000);
      client.socket.resetAndDestroy();
    });
    await Promise.all(storm);
  });
});

/** Of the supervisor and its workers. */
function residentBytes(): number {
  const tree = pids.map((pid) =>
    /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')),
  );
  return tree.reduce((sum, match) => sum + Number(match?.[1]) * 1024, 0);
}
