import { describe, expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { readyForQuery } from '../../../src/protocol/ready-for-query.ts';
import { connected, done, send, until } from '../../support/pipeline-fixture.ts';

describe('cancelling in a pipeline', () => {
  const canceled = Buffer.concat([
    encodeErrorResponse(new PgError('57014', 'canceling statement due to user request')),
    readyForQuery.idle,
  ]);

  it('is sent only for the exchange at the head', async () => {
    const { connection, server, notes } = await connected({ onQuery: () => {} });
    const [first, second] = [send(connection, 'one'), send(connection, 'two')];
    connection.cancel(second);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(server.cancels).toEqual([]);
    connection.cancel(first);
    expect(connection.isCancelling).toBe(true);
    await until(() => notes.includes('cancel settled'));
    expect(server.cancels).toEqual([{ backendId: 1, secret: Buffer.from([1, 2, 3, 4]) }]);
    expect(connection.isCancelling).toBe(false);
  });

  it('waits until the exchange is at the head', async () => {
    const { connection, server } = await connected({
      onQuery: ({ socket }, sql) =>
        void (sql === 'one' && setTimeout(() => socket.write(done()), 30)),
      onCancel: (_, close) => {
        close();
        server.sessions[0]?.socket.write(canceled);
      },
    });
    const [first, second] = [send(connection, 'one'), send(connection, 'two')];
    connection.cancel(second);
    await Promise.all([first.ended, second.ended]);
    expect(first.events).toEqual(['C', '.', 'ready idle 0']);
    expect(second.events).toEqual(['error 57014', '.', 'ready idle 0']);
    expect(server.cancels).toHaveLength(1);
  });

  it('reaches the exchange that asked for it', async () => {
    const { connection } = await connected({
      onQuery: ({ socket }, sql) =>
        void (sql === 'one' && setTimeout(() => socket.write(canceled), 20)),
    });
    const first = send(connection, 'one');
    connection.cancel(first);
    await first.ended;
    expect(first.events).toEqual(['error 57014', '.', 'ready idle 0']);
  });

  it('asks again when the server had not begun yet', async () => {
    const { server, connection } = await connected({ onQuery: () => {} });
    const exchange = send(connection, 'one');
    connection.cancel(exchange);
    await until(() => server.cancels.length === 3);
    const startedAt = performance.now();
    for (let more = 50; more > 0; more--) connection.cancel(exchange);
    await until(() => server.cancels.length >= 6);
    expect(performance.now() - startedAt).toBeGreaterThan(150);
  });

  it('breaks the connection rather than telling a bystander that it was canceled', async () => {
    const { connection } = await connected({
      onQuery: ({ socket }, sql) => {
        if (sql === 'two') socket.write(Buffer.concat([done(), canceled]));
      },
    });
    const [first, second] = [send(connection, 'one'), send(connection, 'two')];
    connection.cancel(first);
    await Promise.all([first.ended, second.ended]);
    expect(first.events).toEqual(['C', '.', 'ready idle 0']);
    expect(second.events).toEqual(['lost 08006']);
  });

  it('makes the session unfit for others when nobody knows whether it still comes', async () => {
    const { connection, notes } = await connected({ onCancel: () => {}, onQuery: () => {} });
    connection.cancel(send(connection, 'one'));
    await until(() => notes.includes('cancel settled'));
    expect(connection.isUnfit).toBe(true);
  });

  it('stops what a destroyed session was doing', async () => {
    const { connection, server } = await connected({ onQuery: () => {} });
    const exchange = send(connection, 'select pg_sleep(1000)');
    await until(() => server.sessions[0]?.queries.length === 1);
    connection.destroy('the client has gone');
    await until(() => server.cancels.length === 1);
    expect(exchange.events).toEqual(['lost 08006']);
  });
});
