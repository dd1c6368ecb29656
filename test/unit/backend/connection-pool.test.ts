import { afterEach, describe, expect, it } from 'vitest';
import { emptySettings } from '../../../src/backend/session-settings.ts';
import { PgError } from '../../../src/base/pg-error.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { encodeQuery } from '../../../src/protocol/query-message.ts';
import { readyForQuery } from '../../../src/protocol/ready-for-query.ts';
import { answerQuery } from '../../support/fake-server.ts';
import {
  app,
  closePools,
  exclusive,
  other,
  poolOf,
  run,
  until,
} from '../../support/pool-fixture.ts';
import { recordedExchange } from '../../support/recorded-exchange.ts';

afterEach(closePools);

describe('exclusive leases', () => {
  it('reuse the latest used connection', async () => {
    const { pool, server } = await poolOf(3);
    const [first, second] = await Promise.all([exclusive(pool), exclusive(pool)]);
    first.release();
    second.release();
    expect(await exclusive(pool)).toBe(second);
    expect(server.sessions.length).toBe(2);
    expect(pool.counts).toMatchObject({ idle: 1, active: 1, connecting: 0, waiting: 0 });
    expect(pool.lastReceivedAt).toBe(0);
    await run(second, 'x');
    expect(pool.lastReceivedAt).toBeGreaterThan(0);
  });

  it('wait in line for a free connection at the limit', async () => {
    const { pool, server } = await poolOf(2);
    const held = await Promise.all([exclusive(pool), exclusive(pool)]);
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (number) => {
      const connection = await exclusive(pool);
      order.push(number);
      setImmediate(() => connection.release());
    });
    expect(pool.counts.waiting).toBe(3);
    held[0]?.release();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2, 3]);
    expect(server.sessions.length).toBe(2);
  });

  it('are refused with 53300 and the limit after the time allowed', async () => {
    const { pool } = await poolOf(1);
    await exclusive(pool);
    const before = performance.now();
    const refused = exclusive(pool);
    setTimeout(() => expect(pool.counts.waitMs).toBeGreaterThan(30), 60);
    await expect(refused).rejects.toMatchObject({
      sqlState: '53300',
      detail: expect.stringMatching(/None of the 1 connections .* within 150 ms/),
    });
    expect(performance.now() - before).toBeGreaterThan(140);
    expect(pool.counts.waiting).toBe(0);
  });

  it('call nobody who has given up', async () => {
    const { pool } = await poolOf(1);
    const held = await exclusive(pool);
    const called: string[] = [];
    const giveUp = pool.lease({
      user: app,
      settings: emptySettings,
      mode: 'exclusive',
      onLease: () => called.push('lease'),
      onRefused: () => called.push('refused'),
    });
    giveUp();
    held.release();
    expect(called).toEqual([]);
    expect(pool.counts).toMatchObject({ idle: 1, waiting: 0 });
  });

  it('do not get a connection that was left in a transaction or with work to do', async () => {
    const { pool, server } = await poolOf(1, {
      onQuery: (session, sql) => void (sql === 'hang' || answerQuery(session, sql)),
    });
    const first = await exclusive(pool);
    await run(first, 'begin');
    first.release();
    expect(first.alive).toBe(false);
    const second = await exclusive(pool);
    second.send(recordedExchange(), [encodeQuery('hang')]);
    second.release();
    expect(second.alive).toBe(false);
    await exclusive(pool);
    expect(server.sessions.length).toBe(3);
  });

  it('let an idle connection of another user make room', async () => {
    const { pool, server } = await poolOf(1);
    (await exclusive(pool)).release();
    await exclusive(pool, { user: other });
    expect(server.sessions.map(({ parameters }) => parameters.get('user'))).toEqual([
      'app',
      'other',
    ]);
    await until(() => server.open.length === 1);
  });

  it('close connections that stay idle', async () => {
    const { pool, server } = await poolOf(2, {}, { serverIdleTimeoutMs: 60 });
    const [first, second] = await Promise.all([exclusive(pool), exclusive(pool)]);
    first.release();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(pool.counts).toMatchObject({ idle: 0, active: 1 });
    await until(() => server.open.length === 1);
    second.release();
    await until(() => pool.counts.active + pool.counts.idle === 0);
  });
});

describe('session state', () => {
  const utc = emptySettings.with('timezone', "'UTC'");

  it('is replayed as a difference before the lease', async () => {
    const { pool, server } = await poolOf(1);
    (await exclusive(pool, { settings: utc })).release();
    const seoul = utc.with('timezone', "'Asia/Seoul'").with('work_mem', "'8MB'");
    const connection = await exclusive(pool, { settings: seoul });
    expect(connection.settings).toBe(seoul);
    connection.release();
    (await exclusive(pool)).release();
    (await exclusive(pool)).release();
    expect(server.sessions[0]?.queries).toEqual([
      `SET "timezone" TO 'UTC'`,
      `SET "timezone" TO 'Asia/Seoul'; SET "work_mem" TO '8MB'`,
      'RESET "timezone"; RESET "work_mem"',
    ]);
  });

  it('prefers a connection that holds it already', async () => {
    const { pool, server } = await poolOf(2);
    const [first, second] = await Promise.all([
      exclusive(pool, { settings: utc }),
      exclusive(pool),
    ]);
    first.release();
    second.release();
    expect(await exclusive(pool, { settings: utc })).toBe(first);
    expect(server.sessions.flatMap(({ queries }) => queries)).toEqual([`SET "timezone" TO 'UTC'`]);
  });

  it('is what the owner says it has become', async () => {
    const { pool, server } = await poolOf(1);
    const connection = await exclusive(pool);
    connection.adoptSettings(utc);
    connection.release();
    (await exclusive(pool, { settings: utc })).release();
    expect(server.sessions[0]?.queries).toEqual([]);
  });

  it('refuses the lease with the server error, and closes the connection, when it cannot be set', async () => {
    const { pool, server } = await poolOf(1, {
      onQuery: ({ socket }) =>
        void socket.write(
          Buffer.concat([
            encodeErrorResponse(new PgError('22023', 'invalid value for parameter')),
            readyForQuery.idle,
          ]),
        ),
    });
    await expect(exclusive(pool, { settings: utc })).rejects.toMatchObject({ sqlState: '22023' });
    await until(() => server.open.length === 0);
    expect(pool.counts).toMatchObject({ idle: 0, active: 0 });
  });

  it('is discarded when it cannot be taken back by name, and the next one is told nothing', async () => {
    const { pool, server } = await poolOf(1, {
      onQuery: (session, sql) => {
        if (!sql.startsWith('RESET')) return void answerQuery(session, sql);
        const error = new PgError('42501', 'permission denied to set parameter "log_statement"');
        session.socket.write(Buffer.concat([encodeErrorResponse(error), readyForQuery.idle]));
      },
    });
    const logging = emptySettings.with('log_statement', "'all'");
    const first = await exclusive(pool, { settings: logging });
    first.release();
    const next = await exclusive(pool, { settings: utc });
    expect([next, next.settings]).toEqual([first, utc]);
    next.release();
    expect((await exclusive(pool, { settings: logging })).settings).toBe(logging);
    expect(server.sessions[0]?.queries).toEqual([
      `SET "log_statement" TO 'all'`,
      `RESET "log_statement"; SET "timezone" TO 'UTC'`,
      'DISCARD ALL',
      `SET "timezone" TO 'UTC'`,
      `RESET "timezone"; SET "log_statement" TO 'all'`,
      'DISCARD ALL',
      `SET "log_statement" TO 'all'`,
    ]);
  });

  it('is discarded when it is more than settings', async () => {
    const { pool, server } = await poolOf(1);
    const connection = await exclusive(pool, { settings: utc });
    connection.notePrepared('s');
    connection.taint();
    connection.release();
    expect(pool.counts.idle).toBe(0);
    const again = await exclusive(pool, { settings: utc });
    expect(again).toBe(connection);
    expect(again.hasPrepared('s')).toBe(false);
    expect(server.sessions[0]?.queries.slice(1)).toEqual([
      'DISCARD ALL',
      `SET "timezone" TO 'UTC'`,
    ]);
  });

  it('finds another connection when the first is lost while it is replayed', async () => {
    const { pool, server } = await poolOf(1, {
      onQuery: (session, sql) =>
        void (session.number === 1 ? session.socket.destroy() : answerQuery(session, sql)),
    });
    const connection = await exclusive(pool, { settings: utc });
    expect(connection.settings).toBe(utc);
    expect(server.sessions.length).toBe(2);
  });
});
