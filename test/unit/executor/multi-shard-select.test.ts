import { describe, expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import { decodeBind } from '../../../src/protocol/bind-message.ts';
import { encodeErrorResponse, encodeNoticeResponse } from '../../../src/protocol/error-response.ts';
import { encodeParameterDescription } from '../../../src/protocol/parameter-description.ts';
import { decodeParse } from '../../../src/protocol/parse-message.ts';
import { TypeOid } from '../../../src/protocol/type-oid.ts';
import { seededRandom } from '../../support/random.ts';
import { float8, int8, sortKey } from './rows.ts';
import {
  append,
  at,
  done,
  head,
  limit,
  mergeAppend,
  rowDescription,
  rows,
  select,
} from './select-fixture.ts';

const name = { name: 'name', typeOid: TypeOid.text };
const hiddenName = { name: 'h', typeOid: TypeOid.text, format: 1 };
const byHidden = mergeAppend(1, 1, sortKey(1));
const errorFrame = (sqlState: string, message: string) =>
  encodeErrorResponse(new PgError(sqlState, message));

describe('what a shard is sent', () => {
  it('is one flight with the literals as written and the client formats before binary hidden ones', () => {
    const { cursor, shards } = select(mergeAppend(3, 2, sortKey(3)), 2, {
      resultFormats: [1, 0, 1],
      parameters: { typeOids: [25, 23], formats: [0, 1], values: [Buffer.from('x'), null] },
    });
    cursor.fetch(0);
    for (const shard of shards) {
      expect(shard.flights).toEqual(['PBDES']);
      const [parse, bind] = [at(shard.messages, 0), at(shard.messages, 1)];
      expect(decodeParse(parse, 0, parse.length)).toMatchObject({
        sql: "select a, b from t where c = 'it''s'",
        typeOids: [25, 23],
      });
      expect(decodeBind(bind, 0, bind.length)).toMatchObject({
        formats: [0, 1],
        values: [Buffer.from('x'), null],
        resultFormats: [1, 0, 1, 1, 1],
      });
    }
  });

  it('declares the parameter types that the client text has, when the client declared none', () => {
    const parameters = {
      typeOids: [],
      formats: [0, 0],
      values: [Buffer.from('1'), Buffer.from('x')],
    };
    const { cursor, shards, sink } = select(append(1), 2, { parameters });
    cursor.fetch(0);
    expect(shards.map((shard) => shard.flights)).toEqual([['PDS'], []]);
    const columns = rowDescription([{ name: 'name', typeOid: TypeOid.text }]);
    at(shards, 0).deliver(encodeParameterDescription([TypeOid.int8, 16_400]), columns);
    at(shards, 0).ready();
    expect(shards.map((shard) => shard.flights)).toEqual([['PDS', 'PBDES'], ['PBDES']]);
    // OIDs of user types differ between servers. This text does not use the second parameter, so
    // that no server would find a type for it.
    const [parse, bind] = [at(at(shards, 1).messages, 0), at(at(shards, 1).messages, 1)];
    expect(decodeParse(parse, 0, parse.length).typeOids).toEqual([TypeOid.int8, TypeOid.text]);
    expect(decodeBind(bind, 0, bind.length).values).toEqual([Buffer.from('1'), null]);
    for (const shard of shards) {
      shard.deliver(...head([name]), ...rows(['x']), done);
      shard.ready();
    }
    expect(sink.events).toEqual(['x', 'x', 'complete']);
  });

  it('spreads one format over all columns, and leaves formats alone without hidden columns', () => {
    const formatsOf = (root: Parameters<typeof select>[0], resultFormats: number[]) => {
      const { cursor, shards } = select(root, 1, { resultFormats });
      cursor.fetch(0);
      const bind = at(at(shards, 0).messages, 1);
      return decodeBind(bind, 0, bind.length).resultFormats;
    };
    expect(formatsOf(mergeAppend(2, 1, sortKey(2)), [1])).toEqual([1, 1, 1]);
    expect(formatsOf(mergeAppend(2, 1, sortKey(2)), [])).toEqual([0, 0, 1]);
    expect(formatsOf(append(2), [1])).toEqual([1]);
    expect(formatsOf(append(2), [])).toEqual([]);
  });
});

describe('a streaming select', () => {
  it('merges as soon as every shard has a row or has ended, and cuts hidden columns off', () => {
    const { cursor, shards, sink } = select(byHidden, 3, { wantsDescription: true });
    cursor.fetch(0);
    const [a, b, c] = [at(shards, 0), at(shards, 1), at(shards, 2)];
    a.deliver(...head([name, hiddenName]), ...rows(['A1', '1'], ['A4', '4']));
    b.deliver(...head([name, hiddenName]), ...rows(['B2', '2']));
    expect(sink.events).toEqual([]);
    c.deliver(...head([name, hiddenName]));
    expect(sink.events).toEqual(['description name']);
    c.deliver(done);
    c.ready();
    expect(sink.events.slice(1)).toEqual(['A1', 'B2']);
    b.deliver(...rows(['B3', '3'], [null, '5']), done);
    b.ready();
    a.deliver(done);
    a.ready();
    expect(sink.events.slice(1)).toEqual(['A1', 'B2', 'B3', 'A4', 'null', 'complete']);
    expect(shards.map((shard) => shard.released)).toEqual([1, 1, 1]);
  });

  it('gives the same rows however the answers are cut into chunks', () => {
    const random = seededRandom(7);
    for (let round = 0; round < 30; round++) {
      const { cursor, shards, sink } = select(byHidden, 3);
      cursor.fetch(0);
      const scripts = shards.map((_, shard) => [
        ...head([name, hiddenName]),
        ...rows(...[1, 3, 5].map((value) => [`${value}${shard}`, String(value)])),
        done,
      ]);
      const isOpen = new Set(shards.keys());
      while (isOpen.size > 0) {
        const shard = random.pick([...isOpen]);
        const frames = at(scripts, shard).splice(0, random.integer(1, 4));
        if (frames.length > 0) at(shards, shard).deliver(...frames);
        else {
          at(shards, shard).ready();
          isOpen.delete(shard);
        }
      }
      expect(sink.events).toEqual([
        '10',
        '11',
        '12',
        '30',
        '31',
        '32',
        '50',
        '51',
        '52',
        'complete',
      ]);
    }
  });

  it('relays the rows of an append untouched as they come', () => {
    const { cursor, shards, sink } = select(append(1), 2);
    cursor.fetch(0);
    at(shards, 1).deliver(...head([name]), ...rows(['b']));
    expect(sink.events).toEqual([]);
    at(shards, 0).deliver(...head([name]));
    expect(sink.events).toEqual(['b']);
    at(shards, 0).deliver(...rows(['a']), done);
    at(shards, 0).ready();
    at(shards, 1).deliver(done);
    at(shards, 1).ready();
    expect(sink.events).toEqual(['b', 'a', 'complete']);
  });

  it('passes notices on', () => {
    const { cursor, shards, sink } = select(append(1), 1);
    cursor.fetch(0);
    at(shards, 0).deliver(
      encodeNoticeResponse({ severity: 'NOTICE', sqlState: '00000', message: 'look out' }),
    );
    expect(sink.events).toEqual(['notice look out']);
  });

  it('describes the client text on one shard when columns are computed, in the client formats', () => {
    const root = {
      kind: 'aggregate',
      input: append(0, 1),
      groupBy: [],
      outputs: [{ kind: 'sum', hidden: 0 }],
      carry: [],
    } as const;
    const { cursor, shards, sink } = select(root, 2, {
      wantsDescription: true,
      resultFormats: [1],
    });
    cursor.fetch(0);
    expect(shards.map((shard) => shard.flights)).toEqual([['PDS', 'PBDES'], ['PBDES']]);
    at(shards, 0).deliver(rowDescription([{ name: 'total', typeOid: TypeOid.int8 }]));
    at(shards, 0).ready();
    for (const shard of shards) {
      shard.deliver(...head([{ name: 'sum', typeOid: TypeOid.int8 }]), ...rows([int8(4)]), done);
      shard.ready();
    }
    expect(sink.events).toEqual(['description total', int8(8).toString('latin1'), 'complete']);
    expect(sink.formats).toEqual([1]);
  });

  it('asks the session how it prints floats, but only when it may have to print one', () => {
    const outputs = [{ kind: 'sum', hidden: 0 }] as const;
    const root = {
      kind: 'aggregate',
      input: append(0, 1),
      groupBy: [],
      outputs,
      carry: [],
    } as const;
    const { cursor, shards, sink } = select(root, 1);
    cursor.fetch(0);
    const shard = at(shards, 0);
    expect(shard.flights).toEqual(['Q', 'PBDES']);
    shard.deliver(rowDescription([{ name: 'x', typeOid: 25 }]), ...rows(['0']), done);
    shard.ready();
    shard.deliver(
      ...head([{ name: 's', typeOid: TypeOid.float8 }]),
      ...rows([float8(0.1 + 0.2)]),
      done,
    );
    shard.ready();
    expect(sink.events).toEqual(['0.3', 'complete']);
    const binary = select(root, 1, { resultFormats: [1] });
    binary.cursor.fetch(0);
    expect(at(binary.shards, 0).flights).toEqual(['PBDES']);
  });
});

describe('fetching in parts', () => {
  it('suspends at the row limit even when no row follows, and goes on', () => {
    const { cursor, shards, sink } = select(append(1), 1);
    cursor.fetch(2);
    at(shards, 0).deliver(...head([name]), ...rows(['a'], ['b'], ['c']), done);
    at(shards, 0).ready();
    expect(sink.events).toEqual(['a', 'b', 'suspended']);
    cursor.fetch(1);
    expect(sink.events.slice(3)).toEqual(['c', 'suspended']);
    cursor.fetch(1);
    expect(sink.events.slice(5)).toEqual(['complete']);
  });

  it('lets the sink ask for more from within suspended()', () => {
    const { cursor, shards, sink } = select(append(1), 1);
    sink.suspended = () => cursor.fetch(1);
    cursor.fetch(1);
    at(shards, 0).deliver(...head([name]), ...rows(['a'], ['b'], ['c']), done);
    at(shards, 0).ready();
    expect(sink.events).toEqual(['a', 'b', 'c', 'complete']);
  });

  it('reads a named portal in pieces in a transaction, so that the connection is free in between', () => {
    const { cursor, shards, sink } = select(append(1), 1, { inTransaction: true });
    const shard = at(shards, 0);
    cursor.fetch(2);
    shard.deliver(...head([name]), ...rows(['a'], ['b'], ['c']), Buffer.from([0x73, 0, 0, 0, 4]));
    shard.ready('in-transaction');
    expect(sink.events).toEqual(['a', 'b', 'suspended']);
    expect([shard.flights, shard.depth]).toEqual([['PBDES'], 0]);
    cursor.fetch(2);
    expect(shard.flights).toEqual(['PBDES', 'ES']);
    shard.deliver(...rows(['d']), Buffer.from([0x73, 0, 0, 0, 4]));
    shard.ready('in-transaction');
    cursor.fetch(0);
    shard.deliver(done);
    shard.ready('in-transaction');
    expect(shard.flights).toEqual(['PBDES', 'ES', 'ES', 'CS']);
    expect(sink.events).toEqual(['a', 'b', 'suspended', 'c', 'd', 'suspended']);
    shard.ready('in-transaction');
    expect(sink.events.at(-1)).toBe('complete');
    expect([shard.released, shard.cancelled.length]).toEqual([1, 0]);
  });

  it('closes an unfinished portal when the cursor is closed', () => {
    const { cursor, shards } = select(append(1), 1, { inTransaction: true });
    const shard = at(shards, 0);
    cursor.fetch(1);
    shard.deliver(...head([name]), ...rows(['a']), Buffer.from([0x73, 0, 0, 0, 4]));
    shard.ready('in-transaction');
    cursor.close();
    expect(shard.flights).toEqual(['PBDES', 'CS']);
    shard.ready('in-transaction');
    expect(shard.released).toBe(1);
  });
});

describe('a slow client', () => {
  const wide = 'w'.repeat(16 * 1024);

  it('stops the servers when the buffers are full and sets them going again', () => {
    const { cursor, shards, sink } = select(append(1), 2);
    cursor.fetch(0);
    sink.writable = false;
    let delivered = 0;
    for (const shard of shards) {
      shard.deliver(...head([name]));
      while (!shard.isPaused && delivered < 1000) {
        shard.deliver(...rows([wide], [wide]));
        delivered += 2;
      }
    }
    expect(sink.events).toEqual([]);
    expect(shards.map((shard) => shard.isPaused)).toEqual([true, true]);
    // A quarter of a megabyte for each shard, and one chunk more at most.
    expect(delivered).toBeLessThanOrEqual(2 * (16 + 2));
    sink.drain();
    expect(sink.rowCount).toBe(delivered);
    expect(shards.map((shard) => shard.isPaused)).toEqual([false, false]);
  });

  it('holds a fast shard back while a merge waits for a slow one', () => {
    const { cursor, shards, sink } = select(byHidden, 2);
    const [fast, slow] = [at(shards, 0), at(shards, 1)];
    cursor.fetch(0);
    slow.deliver(...head([name, hiddenName]));
    fast.deliver(...head([name, hiddenName]));
    for (let chunk = 0; chunk < 20 && !fast.isPaused; chunk++) fast.deliver(...rows([wide, '1']));
    expect([fast.isPaused, slow.isPaused, sink.rowCount]).toEqual([true, false, 0]);
    // The row in the hand of the merge is not in the buffer any more.
    slow.deliver(...rows(['s', '2']));
    expect([fast.isPaused, sink.rowCount]).toEqual([false, 17]);
  });
});

describe('a limit', () => {
  const one = { typeOids: [20, 20], formats: [], values: [Buffer.from('1'), Buffer.from('1')] };

  it('ends the client at once, drains the limited shards and gives the connections back', () => {
    const { cursor, shards, sink } = select(limit(append(1), 1, 1), 2, { parameters: one });
    cursor.fetch(0);
    for (const shard of shards) shard.deliver(...head([name]), ...rows(['a'], ['b'], ['c']));
    expect(sink.events).toEqual(['b', 'complete']);
    for (const shard of shards) {
      shard.deliver(...rows(['late']), errorFrame('22012', 'too late'));
      shard.ready();
    }
    expect(sink.events).toEqual(['b', 'complete']);
    expect(shards.map((shard) => [shard.released, shard.cancelled.length])).toEqual([
      [1, 0],
      [1, 0],
    ]);
  });

  it('above groups cancels the shards, whose own queries have no limit', () => {
    const groups = {
      kind: 'aggregate',
      input: mergeAppend(1, 1, sortKey(1)),
      groupBy: [sortKey(1)],
      outputs: [{ kind: 'group', visible: 0 }],
      carry: [],
    } as const;
    const { cursor, shards, sink } = select(limit(groups, 1), 1, { parameters: one });
    const shard = at(shards, 0);
    cursor.fetch(0);
    shard.deliver(...head([name, hiddenName]), ...rows(['a', 'a'], ['b', 'b'], ['c', 'c']));
    expect([sink.events, shard.cancelled.length]).toEqual([['a', 'complete'], 1]);
    shard.deliver(errorFrame('57014', 'canceling statement due to user request'));
    shard.ready();
    expect([sink.events, shard.released]).toEqual([['a', 'complete'], 1]);
  });

  it('in a transaction ends when the shards are at rest, and never cancels', () => {
    const options = { parameters: one, inTransaction: true };
    const { cursor, shards, sink } = select(limit(append(1), 1), 2, options);
    cursor.fetch(0);
    for (const shard of shards) shard.deliver(...head([name]), ...rows(['a']));
    expect(sink.events).toEqual(['a']);
    for (const shard of shards) {
      shard.deliver(done);
      shard.ready('in-transaction');
    }
    expect(sink.events).toEqual(['a', 'complete']);
    expect(shards.map((shard) => shard.cancelled.length)).toEqual([0, 0]);
  });

  it.each([
    ['-1', '1', 'failed 2201W LIMIT must not be negative'],
    ['1', '-1', 'failed 2201X OFFSET must not be negative'],
  ])('of %s from %s is refused before any shard is asked', (count, offset, event) => {
    const parameters = { ...one, values: [Buffer.from(count), Buffer.from(offset)] };
    const { cursor, shards, sink } = select(limit(append(1), 1, 1), 1, { parameters });
    cursor.fetch(0);
    expect([sink.events, at(shards, 0).flights]).toEqual([[event], []]);
  });
});
