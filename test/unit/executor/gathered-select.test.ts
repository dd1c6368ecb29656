import { describe, expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import type { QueryPiece } from '../../../src/planner/plan.ts';
import { decodeBind } from '../../../src/protocol/bind-message.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { encodeParameterDescription } from '../../../src/protocol/parameter-description.ts';
import { decodeParse } from '../../../src/protocol/parse-message.ts';
import { TypeOid } from '../../../src/protocol/type-oid.ts';
import type { FakeConnection } from './fake-connection.ts';
import {
  answer,
  append,
  int4,
  integerColumn,
  last,
  query,
  reading,
  result,
  rowsOf,
  type Stage,
  sqlOf,
  stage,
  teach,
} from './gathered-fixture.ts';
import { at, head, rowDescription, rows } from './select-fixture.ts';

/** A Bind that was sent in pieces. */
function wholeBind(connection: FakeConnection) {
  const start = connection.messages.indexOf(last(connection, 'B'));
  const bytes = Buffer.concat(connection.messages.slice(start));
  const end = 1 + bytes.readInt32BE(1);
  expect(String.fromCharCode(bytes[end] ?? 0)).toBe('D');
  return decodeBind(bytes, 0, end);
}

describe('a select that reads gathered rows', () => {
  it('asks for the types, gathers on the shards, and hands on what the last query says', () => {
    const staged = stage([result('from t')], reading(0));
    const { cursor, shards, sink } = staged;
    cursor.fetch(0);
    // One round trip for what is asked first.
    expect(at(shards, 0).flights).toEqual(['PDS', 'PDS', 'PBES']);
    teach(staged, 1);
    expect(at(shards, 0).flights).toEqual(['PDS', 'PDS', 'PBES', 'PBDES']);
    answer(at(shards, 0), 'a', '1', null);
    expect(at(shards, 2).flights).toEqual([]);
    answer(at(shards, 1), 'a', '22');
    expect(sqlOf(at(shards, 2))).toBe(
      'last t.c1::integer FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[])) AS t(c1)',
    );
    answer(at(shards, 2), 'b', '7');
    expect(sink.events).toEqual(['description b', '7', 'complete']);
    expect(shards.map((shard) => shard.released)).toEqual([2, 1, 1]);
  });

  it('sends each column as one binary text[], behind the parameters of the client', () => {
    const parameters = { typeOids: [], formats: [0], values: [Buffer.from('5')] };
    const staged = stage([result('from t')], reading(0), { parameters });
    staged.cursor.fetch(0);
    teach(staged, 1, TypeOid.int8);
    const [a, b, c] = [at(staged.shards, 0), at(staged.shards, 1), at(staged.shards, 2)];
    answer(a, 'a', 'one', null);
    answer(b, 'a');
    expect(sqlOf(c)).toContain('$2::pg_catalog.text[]');
    const parse = last(c, 'P');
    expect(decodeParse(parse, 0, parse.length).typeOids).toEqual([20, TypeOid.textArray]);
    const { values, formats } = wholeBind(c);
    expect([formats, values[0]]).toEqual([[0, 1], Buffer.from('5')]);
    // One dimension, with NULLs, of type text, two elements from 1 on.
    const header = [1, 1, TypeOid.text, 2, 1].map((word) => word.toString(16).padStart(8, '0'));
    expect(values[1]?.toString('hex')).toBe(`${header.join('')}000000036f6e65ffffffff`);
  });

  it('asks only once for a plan, and again after an error', () => {
    const first = stage([result('from t')], reading(0));
    first.cursor.fetch(0);
    teach(first, 1);
    const run = (failing: boolean) => {
      const { root, learned, intermediate } = first.request;
      const again = stage(intermediate, root, { learned });
      again.cursor.fetch(0);
      const { flights } = at(again.shards, 0);
      const asked = flights[0];
      if (asked === 'PBDES') {
        answer(at(again.shards, 0), 'a');
        if (failing) at(again.shards, 1).deliver(encodeErrorResponse(new PgError('22012', 'no')));
      }
      return asked;
    };
    expect([run(false), run(true), run(false)]).toEqual(['PBDES', 'PBDES', 'PDS']);
  });

  it('gathers only what is read, and what that reads, in order', () => {
    const results = [
      result('unread'),
      result('from t'),
      result('from t where a in ', rowsOf(1)),
      result('unread ', rowsOf(0)),
    ];
    const staged = stage(results, reading(2));
    const { cursor, shards } = staged;
    cursor.fetch(0);
    teach(staged, 2);
    expect(sqlOf(at(shards, 1))).toBe('from t');
    for (const shard of shards.slice(0, 2)) answer(shard, 'a', '1');
    expect(sqlOf(at(shards, 1))).toContain('from t where a in t.c1::');
    expect(at(shards, 2).flights).toEqual([]);
    for (const shard of shards.slice(0, 2)) answer(shard, 'a', '2');
    expect(sqlOf(at(shards, 2))).toContain('last');
  });

  it('gathers two results at the same time, in a transaction one after the other', () => {
    for (const inTransaction of [false, true]) {
      const results = ['from t', 'from u', 'from v'].map((piece) => result(piece));
      const staged = stage(results, reading(0, 1, 2), { inTransaction });
      staged.cursor.fetch(0);
      teach(staged, 3);
      const b = at(staged.shards, 1);
      expect(b.depth).toBe(inTransaction ? 1 : 2);
      for (const left of inTransaction ? [1, 1, 0] : [2, 1, 0]) {
        for (const shard of staged.shards.slice(0, 2)) answer(shard, 'a', '1');
        expect(b.depth).toBe(left);
      }
      expect(sqlOf(at(staged.shards, 2))).toContain('unnest($3::');
    }
  });

  it('stops the other results when one fails', () => {
    const staged = stage([result('from t'), result('from u')], reading(0, 1));
    staged.cursor.fetch(0);
    teach(staged, 2);
    const [a, b] = [at(staged.shards, 0), at(staged.shards, 1)];
    answer(a, 'a', '1');
    a.deliver(encodeErrorResponse(new PgError('22012', 'division by zero')));
    a.ready();
    expect(staged.sink.events).toEqual(['failed division by zero']);
    expect(b.cancelled.length).toBeGreaterThan(0);
    b.ready();
    b.ready();
    expect([a.released, b.released]).toEqual([3, 2]);
  });

  it('names the type of a column whose rows it does not need', () => {
    const type: QueryPiece = { kind: 'intermediate-type', result: 0, column: 0 };
    const staged = stage([result('from t')], append(query('select 1::', type)));
    staged.cursor.fetch(0);
    teach(staged, 1);
    expect(sqlOf(at(staged.shards, 2))).toBe('select 1::integer');
  });

  it('fails with what a shard says while it gathers, and gives all connections back', () => {
    const staged = stage([result('from t')], reading(0));
    const { cursor, shards, sink } = staged;
    cursor.fetch(0);
    teach(staged, 1);
    at(shards, 0).deliver(encodeErrorResponse(new PgError('22012', 'division by zero')));
    at(shards, 0).ready();
    expect(sink.events).toEqual(['failed division by zero']);
    expect(at(shards, 1).cancelled).toHaveLength(1);
    at(shards, 1).ready();
    expect(shards.map((shard) => shard.released)).toEqual([2, 1, 0]);
  });

  it('stops all shards as soon as there are too many bytes', () => {
    // 5 bytes with the length word: 2 rows fit.
    for (const [fitting, events] of [
      [10, []],
      [9, ['failed 53400']],
    ] as const) {
      const staged = stage([result('from t')], reading(0), { gatherBytesMax: fitting });
      staged.cursor.fetch(0);
      teach(staged, 1);
      for (const shard of staged.shards.slice(0, 2)) {
        shard.deliver(...head([int4('a')]), ...rows(['1']));
      }
      expect(staged.sink.events.map((event) => event.slice(0, 12))).toEqual(events);
      const cancelled = staged.shards.map((shard) => shard.cancelled.length);
      expect(cancelled).toEqual(events.length === 0 ? [0, 0, 0] : [1, 1, 0]);
    }
  });

  it('closed at any time says nothing more and leaves nothing running', () => {
    const steps: ((staged: Stage) => void)[] = [
      () => {},
      (staged) => teach(staged, 1),
      ({ shards }) => {
        answer(at(shards, 0), 'a');
        answer(at(shards, 1), 'a');
      },
    ];
    for (let count = 0; count <= steps.length; count++) {
      const staged = stage([result('from t')], reading(0));
      if (count > 0) staged.cursor.fetch(0);
      for (const step of steps.slice(0, count)) step(staged);
      staged.cursor.close();
      staged.cursor.close();
      const running = staged.shards.filter((shard) => shard.depth > 0);
      for (const shard of running) {
        expect(shard.cancelled).toHaveLength(1);
        while (shard.depth > 0) shard.ready();
      }
      expect(staged.sink.events).toEqual([]);
      for (const shard of staged.shards) expect(shard.depth).toBe(0);
      expect(at(staged.shards, 0).released).toBe(count === 0 ? 0 : count === 1 ? 1 : 2);
    }
  });

  it('refuses what the servers do not agree on, and never shows it', () => {
    const staged = stage([result('from t')], reading(0));
    staged.cursor.fetch(0);
    teach(staged, 1);
    const text = { name: 'a', typeOid: TypeOid.text };
    for (const shard of staged.shards.slice(0, 2)) shard.deliver(...head([text]), ...rows(['x']));
    expect(staged.sink.events).toEqual([expect.stringContaining('failed 42804')]);
    const other = stage([result('from t')], reading(0));
    other.cursor.fetch(0);
    teach(other, 1);
    for (const shard of other.shards.slice(0, 2)) answer(shard, 'a', '1');
    at(other.shards, 2).deliver(...head([text]), ...rows(['x']));
    expect(other.sink.events).toEqual([expect.stringContaining('failed 42804')]);
  });
});

describe('binary values of a type that users made', () => {
  it('come from the server that has described them, if any server may answer', () => {
    for (const [runsAnywhere, expected] of [
      [true, 0],
      [false, 2],
    ] as const) {
      const staged = stage([result('from t')], reading(0), { resultFormats: [1], runsAnywhere });
      staged.cursor.fetch(0);
      const home = at(staged.shards, 0);
      const mood = { name: 'b', typeOid: 16_500 };
      home.deliver(encodeParameterDescription([]), rowDescription([mood]));
      home.ready();
      home.deliver(encodeParameterDescription([]), rowDescription([int4('a')]));
      home.ready();
      home.deliver(...rows(integerColumn));
      home.ready();
      for (const shard of staged.shards.slice(0, 2)) answer(shard, 'a', '1');
      expect(sqlOf(at(staged.shards, expected))).toContain('last');
    }
  });
});
