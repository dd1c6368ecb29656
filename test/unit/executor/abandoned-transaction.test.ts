import { describe, expect, it } from 'vitest';
import type { LeaseRequest } from '../../../src/backend/pool.ts';
import { emptySettings } from '../../../src/backend/session-settings.ts';
import { systemClock } from '../../../src/base/clock.ts';
import type { PgError } from '../../../src/base/pg-error.ts';
import type { User } from '../../../src/config/config.ts';
import { Reservations } from '../../../src/executor/session/reservations.ts';
import { Transaction } from '../../../src/executor/transaction/transaction.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { FakeConnection } from './fake-connection.ts';

const user: User = {
  name: 'app',
  verifier: null,
  md5Hash: null,
  serverUser: 'app',
  serverSecret: { kind: 'none' },
  admin: false,
  stats: false,
  safeWrites: null,
};
const shard = 'a' as ShardId;
const otherShard = 'b' as ShardId;

function scene() {
  const leases: LeaseRequest[] = [];
  const servers = {
    lease(_: ShardId, request: LeaseRequest) {
      leases.push(request);
      return () => {};
    },
  };
  const output = { write() {} };
  const reservations = new Reservations(servers);
  const transaction = new Transaction(reservations, user, emptySettings, systemClock, output);
  const refused: PgError[] = [];
  const given: unknown[] = [];
  const ask = (asked = shard) =>
    transaction.acquire({
      shard: asked,
      write: true,
      share: false,
      onConnection: (connection) => given.push(connection),
      onRefused: (error) => refused.push(error),
    });
  return { transaction, leases, refused, given, ask };
}

describe('a transaction whose client is gone', () => {
  it.each([
    ['in a block', true],
    ['alone', false],
  ])('gives a connection back that its statement was still waiting for, %s', (_, inBlock) => {
    const { transaction, leases, refused, given, ask } = scene();
    if (inBlock) transaction.begin('BEGIN', null);
    ask();
    transaction.abandon();
    const connection = new FakeConnection('a');
    leases[0]?.onLease(connection);
    expect(connection.released).toBe(1);
    expect(connection.messages).toEqual([]);
    expect(given).toEqual([]);
    expect(refused).toMatchObject([{ message: 'client disconnected' }]);
  });

  it('asks for no connection any more', () => {
    const { transaction, leases, refused, ask } = scene();
    transaction.begin('BEGIN', null);
    transaction.abandon();
    ask();
    expect(leases).toEqual([]);
    expect(refused).toMatchObject([{ message: 'client disconnected' }]);
  });

  it('sends no ROLLBACK to a shard that has answered one, when others have not', () => {
    const { transaction, leases, ask } = scene();
    const slow = new FakeConnection('a');
    const quick = new FakeConnection('b');
    transaction.begin('BEGIN', null);
    ask();
    ask(otherShard);
    leases[0]?.onLease(slow);
    leases[1]?.onLease(quick);
    for (const connection of [slow, quick]) connection.ready('in-transaction');
    transaction.broadcast('ROLLBACK', null, () => transaction.end(false));
    quick.ready();
    transaction.abandon();
    expect(slow.alive).toBe(false);
    quick.ready();
    expect(quick.released).toBe(1);
  });

  it('ends what it has begun to commit, and begins nothing after it', () => {
    const { transaction, leases, refused, ask } = scene();
    const connection = new FakeConnection('a');
    transaction.begin('BEGIN', null);
    ask();
    leases[0]?.onLease(connection);
    connection.ready('in-transaction');
    transaction.beginEnd();
    transaction.abandon();
    expect([connection.alive, connection.released]).toEqual([true, 0]);
    transaction.end(true);
    expect(connection.released).toBe(1);
    transaction.begin('BEGIN', null);
    ask();
    expect(refused).toMatchObject([{ message: 'client disconnected' }]);
  });
});
