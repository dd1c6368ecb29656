import { afterEach, describe, expect, it } from 'vitest';
import type { ServerConnection } from '../../../src/backend/server-connection.ts';
import { emptySettings } from '../../../src/backend/session-settings.ts';
import { PgError } from '../../../src/base/pg-error.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { encodeQuery } from '../../../src/protocol/query-message.ts';
import { answerQuery } from '../../support/fake-server.ts';
import { closePools, exclusive, poolOf, shared, until } from '../../support/pool-fixture.ts';
import { recordedExchange } from '../../support/recorded-exchange.ts';

afterEach(closePools);

describe('shared leases', () => {
  it('queue behind each other on a busy connection, up to the depth allowed', async () => {
    const { pool, server } = await poolOf(1, { onQuery: () => {} });
    const exchanges = await Promise.all(['a', 'b', 'c', 'd'].map((sql) => shared(pool, sql)));
    expect(exchanges.length).toBe(4);
    const fifth = shared(pool, 'e');
    expect(pool.counts.waiting).toBe(1);
    await until(() => server.sessions[0]?.queries.length === 4);
    const [session] = server.sessions;
    if (session === undefined) throw new Error('no session');
    answerQuery(session, 'a');
    await fifth;
    await until(() => session.queries.length === 5);
    expect(server.sessions.length).toBe(1);
  });

  it('answer everybody with his own rows', async () => {
    const { pool, server } = await poolOf(2);
    const names = Array.from({ length: 60 }, (_, index) => `q${index}`);
    await Promise.all(
      names.map(async (sql) => {
        const exchange = await shared(pool, sql);
        await exchange.ended;
        expect(exchange.events[0]).toBe(`row ${sql}`);
      }),
    );
    expect(server.sessions.length).toBeLessThanOrEqual(2);
    await until(() => pool.counts.active === 0);
  });

  it('stay away from exclusive connections and from other settings', async () => {
    const { pool } = await poolOf(1);
    const held = await exclusive(pool);
    await expect(shared(pool, 'x')).rejects.toMatchObject({ sqlState: '53300' });
    held.release();
    const utc = emptySettings.with('timezone', "'UTC'");
    await (await shared(pool, 'x')).ended;
    await (await shared(pool, 'y', { settings: utc })).ended;
    expect((await exclusive(pool)).settings).toBe(emptySettings);
  });

  it('do not keep an exclusive lease waiting for ever', async () => {
    const { pool } = await poolOf(1, {}, { acquireTimeoutMs: 2000 });
    let isOver = false;
    const load = Array.from({ length: 8 }, async () => {
      while (!isOver) await (await shared(pool, 'load')).ended;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    const connection = await exclusive(pool);
    expect(connection.depth).toBe(0);
    connection.release();
    isOver = true;
    await Promise.all(load);
  });

  it('break the connection that a statement left in a transaction', async () => {
    const { pool, trouble } = await poolOf(1);
    const [first, second] = await Promise.all([shared(pool, 'begin'), shared(pool, 'after')]);
    await Promise.all([first.ended, second.ended]);
    expect(first.events.at(-1)).toBe('ready in-transaction 0');
    expect(second.events).toEqual(['lost XX000']);
    expect(trouble).toEqual([]);
  });
});

describe('a pool in trouble', () => {
  it('refuses at once when nobody listens, and tries again only after a while', async () => {
    const { pool, server, trouble } = await poolOf(2);
    await server.stop();
    await expect(exclusive(pool)).rejects.toMatchObject({ sqlState: '08001' });
    const attempts = trouble.length;
    await expect(exclusive(pool)).rejects.toMatchObject({ sqlState: '08001' });
    expect(trouble.length).toBe(attempts);
    await new Promise((resolve) => setTimeout(resolve, 60));
    await expect(exclusive(pool)).rejects.toMatchObject({ sqlState: '08001' });
    expect(trouble.length).toBe(attempts + 1);
  });

  it('does not call a wrong password trouble', async () => {
    const refusal = new PgError('28P01', 'password authentication failed', { severity: 'FATAL' });
    const { pool, trouble } = await poolOf(1, {
      onStartup: ({ socket }) => void socket.end(encodeErrorResponse(refusal)),
    });
    await expect(exclusive(pool)).rejects.toMatchObject({ sqlState: '28P01' });
    expect(trouble).toEqual([]);
  });

  it('waits for its other connections when a further one is refused', async () => {
    const full = new PgError('53300', 'sorry, too many clients already', { severity: 'FATAL' });
    const { pool, server } = await poolOf(2);
    const held = await exclusive(pool);
    server.script = { onStartup: ({ socket }) => void socket.end(encodeErrorResponse(full)) };
    const waiting = exclusive(pool);
    setTimeout(() => held.release(), 40);
    expect(await waiting).toBe(held);
  });

  it('tells of a server that hangs up', async () => {
    const { pool, server, trouble } = await poolOf(1);
    (await exclusive(pool)).release();
    server.sessions[0]?.socket.destroy();
    await until(() => trouble.length === 1);
    expect(pool.counts).toMatchObject({ idle: 0, active: 0 });
    await exclusive(pool);
  });

  it('does not hand on a session before a cancel request is settled', async () => {
    let finishCancel = (): void => {};
    const { pool, server } = await poolOf(1, {
      onQuery: (session, sql) => void (sql === 'slow' || answerQuery(session, sql)),
      onCancel: (_key, close) => {
        finishCancel = close;
      },
    });
    const connection = await exclusive(pool);
    const exchange = recordedExchange();
    connection.send(exchange, [encodeQuery('slow')]);
    connection.cancel(exchange);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const [session] = server.sessions;
    if (session !== undefined) answerQuery(session, 'slow');
    await exchange.ended;
    connection.release();
    let next: ServerConnection | null = null;
    const leased = exclusive(pool).then((leasedConnection) => {
      next = leasedConnection;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(next).toBeNull();
    finishCancel();
    await leased;
    expect(next).toBe(connection);
  });

  it('closes everything and refuses everybody at the end', async () => {
    const { pool, server } = await poolOf(1);
    const held = await exclusive(pool);
    const waiting = exclusive(pool);
    pool.close(new PgError('57P01', 'terminating'));
    await expect(waiting).rejects.toMatchObject({ sqlState: '57P01' });
    await expect(exclusive(pool)).rejects.toMatchObject({ sqlState: '57P01' });
    expect(held.alive).toBe(false);
    await until(() => server.open.length === 0);
  });
});
