import { once } from 'node:events';
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../support/random.ts';
import { entrySchema, ServedCluster } from '../../support/served-cluster.ts';

const cancelsMax = Number(process.env['CANCELS'] ?? 2000);
const attackers = 6;

let served: ServedCluster;

beforeAll(async () => {
  // Few connections: statements queue behind each other's, and wait for a connection.
  const limits = 'server_connections_max: 3, acquire_timeout: 30s';
  served = await ServedCluster.start({
    shards: ['a', 'b'],
    schema: entrySchema,
    workers: 1,
    limits,
  });
  const client = await served.connect();
  const rows = Array.from({ length: 200 }, (_, n) => `(${n}, 'x'), (${1_000_000 + n}, 'y')`);
  await client.query(`insert into entry values ${rows.join(', ')}`);
  await client.end();
});

afterAll(async () => {
  await served?.stop();
});

/** Asks for the cancel of whatever the client runs now; resolves when the proxy has hung up. */
async function cancel(client: Client): Promise<void> {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(80_877_102, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  const socket = createConnection(served.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.end(request);
  socket.resume();
  await once(socket, 'close');
}

const unexpected: unknown[] = [];

type Counts = { cancels: number; hits: number };

/** Runs statements of all kinds and cancels them at any time: waiting, running, over or not begun. */
async function attack(client: Client, random: Random, counts: Counts): Promise<void> {
  const statements = [
    'select pg_sleep(0.004)',
    'select count(*) from entry, generate_series(1, 50)',
    'select note from entry where id = 7',
    'select note from entry where id = 1000007',
    "update entry set note = 'x' where id = 199",
    'select e.id from entry e join entry f on e.note = f.note order by 1 limit 3',
    'begin; select note from entry where id = 1000007; select pg_sleep(0.002); commit',
    'select pg_try_advisory_lock(1), pg_advisory_unlock(1)',
  ];
  while (counts.cancels < cancelsMax) {
    const text = random.pick(statements);
    const isPrepared = !text.includes(';') && random.integer(0, 1) === 0;
    const running = client.query(
      isPrepared ? { text, values: [], name: text.slice(0, 40) } : { text },
    );
    const ended = running.catch((error: { code: string }) => {
      // More would keep a connection than may.
      if (error.code === '53300' && text.includes('advisory')) return;
      if (error.code !== '57014' && error.code !== '25P02') unexpected.push(error);
      counts.hits += 1;
    });
    const delayMs = random.integer(0, 6);
    if (delayMs > 0) await sleep(delayMs / 2);
    counts.cancels += 1;
    await Promise.all([cancel(client), ended]);
    if (text.startsWith('begin')) await client.query('rollback').catch(() => {});
  }
}

/** Statements that nobody cancels, several in flight at a time. Throws what goes wrong with one. */
async function work(client: Client, counts: Counts): Promise<number> {
  let done = 0;
  for (; counts.cancels < cancelsMax; done += 4) {
    const near = client.query('select note from entry where id = $1', [done % 150]);
    const far = client.query('select note from entry where id = $1', [1_000_000 + (done % 150)]);
    const both = client.query('select count(*) from entry');
    const write = client.query("update entry set note = 'y' where id = 1000198");
    expect((await near).rows).toHaveLength(1);
    expect((await far).rows).toEqual([{ note: 'y' }]);
    expect((await both).rows).toEqual([{ count: '400' }]);
    expect((await write).rowCount).toBe(1);
  }
  return done;
}

describe('cancel requests', () => {
  it('never reach the statement of another client', { timeout: 300_000 }, async () => {
    const counts: Counts = { cancels: 0, hits: 0 };
    const clients = await Promise.all(
      Array.from({ length: attackers + 4 }, () => served.connect()),
    );
    const done = await Promise.all(
      clients.map((client, index) =>
        index < attackers ? attack(client, seededRandom(index), counts) : work(client, counts),
      ),
    );
    expect(unexpected).toEqual([]);
    expect(counts.hits).toBeGreaterThan(cancelsMax / 20);
    for (const statements of done.slice(attackers)) expect(statements).toBeGreaterThan(20);
    await Promise.all(clients.map((client) => client.end()));
    await served.untilIdle();
  });
});
