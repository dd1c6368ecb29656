import { afterEach, describe, expect, it } from 'vitest';
import type { ConnectionPool } from '../../../src/backend/connection-pool.ts';
import type { ServerConnection } from '../../../src/backend/server-connection.ts';
import { emptySettings } from '../../../src/backend/session-settings.ts';
import { encodeQuery } from '../../../src/protocol/query-message.ts';
import { answerQuery } from '../../support/fake-server.ts';
import { app, closePools, other, poolOf, until } from '../../support/pool-fixture.ts';
import { type Random, seededRandom } from '../../support/random.ts';
import { recordedExchange } from '../../support/recorded-exchange.ts';

afterEach(closePools);

const settingsInUse = [emptySettings, emptySettings.with('timezone', "'UTC'")];

/** What one client does with what it gets; `shared` is one exchange, `exclusive` anything. */
async function use(connection: ServerConnection, mode: 'exclusive' | 'shared', random: Random) {
  const text = `q${random.integer(0, 1_000_000)}`;
  const exchange = recordedExchange();
  if (mode === 'exclusive') expect(connection.depth).toBe(0);
  connection.send(exchange, [encodeQuery(text)]);
  if (random.integer(0, 9) === 0) connection.cancel(exchange);
  await exchange.ended;
  const [first = ''] = exchange.events;
  expect(first === `row ${text}` || first.startsWith('lost')).toBe(true);
  if (mode === 'shared') return;
  const choice = random.integer(0, 19);
  if (choice === 0) connection.destroy('had enough');
  if (choice === 1) connection.taint();
  if (choice === 2) connection.send(recordedExchange(), [encodeQuery('begin')]);
  connection.release();
}

async function client(
  pool: ConnectionPool,
  connectionsMax: number,
  random: Random,
): Promise<string> {
  const mode = random.pick(['exclusive', 'shared', 'shared'] as const);
  const user = random.pick([app, app, other]);
  const settings = random.pick(settingsInUse);
  const isImpatient = random.integer(0, 9) === 0;
  let using: Promise<void> = Promise.resolve();
  const outcome = await new Promise<string>((resolve) => {
    const giveUp = pool.lease({
      user,
      settings,
      mode,
      onLease: (connection) => {
        expect(connection.settings).toBe(settings);
        const { idle, active, connecting } = pool.counts;
        expect(idle + active + connecting).toBeLessThanOrEqual(connectionsMax);
        using = use(connection, mode, random);
        resolve('leased');
      },
      onRefused: (error) => resolve(error.sqlState),
    });
    if (isImpatient) {
      setTimeout(
        () => {
          giveUp();
          resolve('gave up');
        },
        random.integer(0, 3),
      );
    }
  });
  await using;
  return outcome;
}

describe('a pool with many kinds of clients', () => {
  it('serves everybody, and is idle in the end', async () => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = seededRandom(seed);
      const connectionsMax = random.integer(1, 4);
      const { pool, server } = await poolOf(
        connectionsMax,
        {
          onQuery: (session, sql) => {
            if (random.integer(0, 99) === 0) session.socket.destroy();
            else answerInOrder(session, sql, random.integer(-2, 1));
          },
        },
        { acquireTimeoutMs: 5000 },
      );
      const outcomes: string[] = [];
      const clients = Array.from({ length: 20 }, async () => {
        for (let round = 0; round < 15; round++)
          outcomes.push(await client(pool, connectionsMax, random));
      });
      await Promise.all(clients);
      const unexpected = outcomes.filter((each) => each !== 'leased' && each !== 'gave up');
      expect(unexpected, `seed ${seed}`).toEqual([]);
      await until(() => pool.counts.active + pool.counts.connecting + pool.counts.waiting === 0);
      await until(() => server.open.length === pool.counts.idle);
    }
  });
});

type Session = Parameters<typeof answerQuery>[0];
const promised = new WeakMap<Session, Promise<void>>();

/** Some answers take a millisecond, and those behind them wait. */
function answerInOrder(session: Session, sql: string, delayMs: number): void {
  const before = promised.get(session) ?? Promise.resolve();
  const answered = before.then(async () => {
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (!session.socket.destroyed) answerQuery(session, sql);
  });
  promised.set(session, answered);
}
