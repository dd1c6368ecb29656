import { describe, expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { TypeOid } from '../../../src/protocol/type-oid.ts';
import { sortKey } from './rows.ts';
import { append, at, done, head, mergeAppend, rows, select } from './select-fixture.ts';

const name = { name: 'name', typeOid: TypeOid.text };
const divided = encodeErrorResponse(new PgError('22012', 'division by zero'));
const cancelled = encodeErrorResponse(new PgError('57014', 'canceling statement'));

describe('a failing shard', () => {
  it('ends the statement once with its own error; the others are cancelled and given back', () => {
    const { cursor, shards, sink } = select(append(1), 3);
    const [a, b, c] = [at(shards, 0), at(shards, 1), at(shards, 2)];
    cursor.fetch(0);
    for (const shard of shards) shard.deliver(...head([name]), ...rows(['x']));
    b.deliver(...rows(['never seen']), divided);
    expect(sink.events).toEqual(['x', 'x', 'x', 'failed division by zero']);
    a.deliver(...rows(['y']), cancelled);
    c.deliver(divided);
    for (const shard of shards) shard.ready();
    expect(sink.events).toHaveLength(4);
    expect(shards.map((shard) => shard.released)).toEqual([1, 1, 1]);
    expect([a.cancelled.length, c.cancelled.length]).toEqual([1, 1]);
  });

  it('in a transaction is reported when all shards are at rest', () => {
    const { cursor, shards, sink } = select(append(1), 2, { inTransaction: true });
    cursor.fetch(0);
    at(shards, 0).deliver(divided);
    at(shards, 0).ready('failed');
    expect(sink.events).toEqual([]);
    at(shards, 1).deliver(cancelled);
    at(shards, 1).ready('failed');
    expect(sink.events).toEqual(['failed division by zero']);
  });

  it('fails a drained rest, too, in a transaction: nothing is hidden from COMMIT', () => {
    const one = { typeOids: [20], formats: [], values: [Buffer.from('1')] };
    const root = {
      kind: 'limit',
      input: append(1),
      count: { kind: 'parameter', index: 0 },
      offset: null,
    } as const;
    const options = { inTransaction: true, parameters: one };
    const { cursor, shards, sink } = select(root, 1, options);
    cursor.fetch(0);
    at(shards, 0).deliver(...head([name]), ...rows(['a']));
    at(shards, 0).deliver(divided);
    at(shards, 0).ready('failed');
    expect(sink.events).toEqual(['a', 'failed division by zero']);
  });

  it('whose connection is lost fails the statement', () => {
    const { cursor, shards, sink } = select(append(1), 2);
    cursor.fetch(0);
    at(shards, 0).deliver(...head([name]));
    at(shards, 0).lose(new PgError('57P01', 'terminating connection'));
    expect(sink.events).toEqual(['failed 57P01 terminating connection']);
    expect(at(shards, 0).released).toBe(1);
    expect(at(shards, 1).cancelled).toHaveLength(1);
  });

  it('that says farewell is not heard: the loss that follows tells, and may be mended', () => {
    const { cursor, shards, sink } = select(append(1), 1);
    cursor.fetch(0);
    const farewell = new PgError('57P01', 'terminating connection', { severity: 'FATAL' });
    at(shards, 0).deliver(encodeErrorResponse(farewell));
    expect(sink.events).toEqual([]);
    at(shards, 0).lose(farewell);
    expect(sink.events).toEqual(['failed 57P01 terminating connection']);
  });

  it('whose connection is refused fails the statement and gives up waiting for the others', () => {
    const { cursor, shards, sink, waiting, givenUp } = select(append(1), 3, { late: [1, 2] });
    cursor.fetch(0);
    waiting.get(1)?.refuse(new PgError('53300', 'too many connections'));
    expect(sink.events).toEqual(['failed 53300 too many connections']);
    expect(givenUp).toContain(2);
    waiting.get(2)?.arrive();
    expect([at(shards, 2).released, at(shards, 2).flights]).toEqual([1, []]);
    at(shards, 0).ready();
    expect(at(shards, 0).released).toBe(1);
  });

  it('while the client text is described fails the statement and gives all connections back', () => {
    const parameters = { typeOids: [], formats: [0], values: [Buffer.from('1')] };
    const failing = select(append(1), 2, { parameters });
    failing.cursor.fetch(0);
    at(failing.shards, 0).deliver(divided);
    at(failing.shards, 0).ready();
    expect(failing.sink.events).toEqual(['failed division by zero']);
    expect(failing.shards.map((shard) => shard.released)).toEqual([1, 1]);
    const closed = select(append(1), 2, { parameters });
    closed.cursor.fetch(0);
    closed.cursor.close();
    expect(closed.shards.map((shard) => shard.released)).toEqual([0, 1]);
    at(closed.shards, 0).ready();
    expect(closed.shards.map((shard) => shard.released)).toEqual([1, 1]);
    expect(closed.sink.events).toEqual([]);
  });

  it('between two fetches is told at the next one', () => {
    const { cursor, shards, sink } = select(append(1), 2);
    cursor.fetch(1);
    for (const shard of shards) shard.deliver(...head([name]), ...rows(['x'], ['y']));
    at(shards, 0).deliver(divided);
    expect(sink.events).toEqual(['x', 'suspended']);
    cursor.fetch(1);
    expect(sink.events).toEqual(['x', 'suspended', 'failed division by zero']);
  });

  it('that sends a malformed row fails the statement', () => {
    const { cursor, shards, sink } = select(mergeAppend(1, 1, sortKey(1)), 1);
    cursor.fetch(0);
    const hidden = { name: 'h', typeOid: TypeOid.int4, format: 1 };
    at(shards, 0).deliver(...head([name, hidden]), ...rows(['only one column']));
    expect(sink.events).toEqual([expect.stringContaining('failed 08P01')]);
  });

  it('that answers without rows fails the statement', () => {
    const { cursor, shards, sink } = select(append(1), 1);
    cursor.fetch(0);
    at(shards, 0).deliver(Buffer.from([0x6e, 0, 0, 0, 4]));
    expect(sink.events).toEqual([expect.stringContaining('failed 08P01')]);
  });
});

describe('shards that disagree', () => {
  const failedWith = (first: Parameters<typeof head>[0], second: Parameters<typeof head>[0]) => {
    const { cursor, shards, sink } = select(append(1), 2);
    cursor.fetch(0);
    at(shards, 0).deliver(...head(first), ...rows(['x']));
    at(shards, 1).deliver(...head(second));
    return sink.events;
  };

  it('about a type or the number of columns are refused before any row', () => {
    const number = { name: 'name', typeOid: TypeOid.int4 };
    expect(failedWith([name], [number])).toEqual([expect.stringContaining('failed 42804')]);
    expect(failedWith([name], [name, name])).toEqual([expect.stringContaining('failed 42804')]);
  });

  it('about the OID of a user type are fine in text and refused in binary', () => {
    const first = { name: 'mood', typeOid: 16_400 };
    const second = { name: 'mood', typeOid: 16_500 };
    expect(failedWith([first], [second])).toEqual(['x']);
    const binary = failedWith([{ ...first, format: 1 }], [{ ...second, format: 1 }]);
    expect(binary).toEqual([expect.stringContaining('failed 0A000')]);
  });
});

describe('close', () => {
  it('cancels what runs, says nothing more and gives the connections back', () => {
    const { cursor, shards, sink } = select(append(1), 2, { late: [1] });
    cursor.fetch(0);
    at(shards, 0).deliver(...head([name]));
    cursor.close();
    cursor.close();
    expect(at(shards, 0).cancelled).toHaveLength(1);
    at(shards, 0).deliver(cancelled);
    at(shards, 0).ready();
    expect([sink.events, at(shards, 0).released]).toEqual([[], 1]);
  });

  it('resumes a paused server, which must come to its end', () => {
    const { cursor, shards, sink } = select(append(1), 1, { inTransaction: true });
    const shard = at(shards, 0);
    cursor.fetch(0);
    sink.writable = false;
    const wide = 'w'.repeat(300_000);
    shard.deliver(...head([name]), ...rows([wide]));
    expect(shard.isPaused).toBe(true);
    cursor.close();
    expect([shard.isPaused, shard.cancelled.length]).toEqual([false, 1]);
    shard.deliver(...rows([wide]), done);
    expect(shard.isPaused).toBe(false);
    shard.ready('in-transaction');
    expect(shard.released).toBe(1);
  });

  it('before the first fetch asks nobody', () => {
    const { cursor, shards } = select(append(1), 1);
    cursor.close();
    expect(at(shards, 0).flights).toEqual([]);
  });
});
