import { describe, expect, it } from 'vitest';
import type { ServerConnection } from '../../../src/backend/server-connection.ts';
import { PgError } from '../../../src/base/pg-error.ts';
import { silentTelemetry } from '../../../src/base/telemetry.ts';
import { LearnedStatements } from '../../../src/executor/intermediate/learned-statements.ts';
import {
  type IntermediateSelect,
  openIntermediateSelect,
} from '../../../src/executor/open-intermediate-select.ts';
import { openMultiShardSelect } from '../../../src/executor/open-multi-shard-select.ts';
import type { IntermediateRun } from '../../../src/executor/target.ts';
import type { PlanNode, QueryPiece, ShardQuery } from '../../../src/planner/plan.ts';
import { decodeBind } from '../../../src/protocol/bind-message.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { encodeParameterDescription } from '../../../src/protocol/parameter-description.ts';
import { decodeParse } from '../../../src/protocol/parse-message.ts';
import { TypeOid } from '../../../src/protocol/type-oid.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { FakeConnection } from './fake-connection.ts';
import {
  at,
  type Column,
  done,
  head,
  RecordingSink,
  rowDescription,
  rows,
} from './select-fixture.ts';

const int4 = (name: string): Column => ({ name, typeOid: TypeOid.int4 });
const rowsOf = (result: number): QueryPiece => ({ kind: 'intermediate-rows', result });
const query = (...pieces: QueryPiece[]): ShardQuery => ({ kind: 'rewritten', pieces });
const append = (shardQuery: ShardQuery): PlanNode => ({
  kind: 'append',
  input: { kind: 'route', query: shardQuery, visibleCount: 1, hiddenCount: 0 },
});
const result = (...pieces: QueryPiece[]): IntermediateRun => ({
  columns: ['a'],
  shards: ['s0', 's1'] as readonly string[] as readonly ShardId[],
  root: append(query(...pieces)),
  whole: query('whole of ', ...pieces),
});
/** How a server answers the question about columns. */
const integerColumn = ['b', 'pg_catalog.integer', 'integer', null, null, 'f'];
const reading = (...results: number[]) =>
  append(query('last', ...results.flatMap((number) => [' ', rowsOf(number)])));

/** Fake shards s0 to s2; s0 is home, s2 runs the last query. */
function stage(
  intermediate: readonly IntermediateRun[],
  root: PlanNode,
  options: Partial<IntermediateSelect> = {},
) {
  const shards = ['s0', 's1', 's2'].map((name) => new FakeConnection(name));
  const sink = new RecordingSink();
  const acquire: IntermediateSelect['acquire'] = (shard, onConnection) => {
    const connection = at(shards, Number(shard.slice(1)));
    onConnection(connection as ServerConnection, () => connection.release());
    return () => {};
  };
  const request: IntermediateSelect = {
    root,
    intermediate,
    shards: ['s2' as ShardId],
    describedOn: 's0' as ShardId,
    runsAnywhere: true,
    statementText: 'select the original',
    literalText: () => '1',
    parameters: { typeOids: [], formats: [], values: [] },
    resultFormats: [],
    wantsDescription: true,
    inTransaction: false,
    mergeBytesMax: 1e6,
    gatherBytesMax: 1e6,
    acquire,
    acquireToAsk: acquire,
    learned: new LearnedStatements(),
    telemetry: silentTelemetry,
    open: openMultiShardSelect,
    ...options,
  };
  const cursor = openIntermediateSelect(request, sink);
  return { cursor, shards, sink, request };
}

type Stage = ReturnType<typeof stage>;

/** What was sent last in a message of this kind. */
function last(connection: FakeConnection, code: string): Buffer {
  const found = connection.messages.findLast((message) => message[0] === code.charCodeAt(0));
  if (found === undefined) throw new Error(`no message ${code} was sent`);
  return found;
}

function sqlOf(connection: FakeConnection): string {
  const parse = last(connection, 'P');
  return decodeParse(parse, 0, parse.length).sql;
}

/** Answers what the home shard is asked about `results` results of one integer column. */
function teach({ shards }: Stage, results: number, ...parameterOids: number[]): void {
  const home = at(shards, 0);
  home.deliver(encodeParameterDescription(parameterOids), rowDescription([int4('b')]));
  home.ready();
  for (let number = 0; number < results; number++) {
    home.deliver(encodeParameterDescription([]), rowDescription([int4('a')]));
    home.ready();
    home.deliver(...rows(integerColumn));
    home.ready();
  }
}

function answer(connection: FakeConnection, name: string, ...values: (string | null)[]): void {
  connection.deliver(...head([int4(name)]), ...rows(...values.map((value) => [value])), done);
  connection.ready();
}

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
    teach(staged, 1);
    expect(at(shards, 0).flights).toEqual(['PDS', 'PDS', 'PBES', 'PBDES']);
    answer(at(shards, 0), 'a', '1', null);
    expect(at(shards, 2).flights).toEqual([]);
    answer(at(shards, 1), 'a', '22');
    expect(sqlOf(at(shards, 2))).toBe(
      'last t.c1::pg_catalog.integer FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[])) AS t(c1)',
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
        shard.ready();
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
