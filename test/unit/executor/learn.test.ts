import { describe, expect, it } from 'vitest';
import type { ServerConnection } from '../../../src/backend/server-connection.ts';
import { PgError } from '../../../src/base/pg-error.ts';
import {
  type LearnOutcome,
  type LearnRequest,
  learn,
} from '../../../src/executor/intermediate/learn.ts';
import type { LearnedStatement } from '../../../src/executor/intermediate/learned-statements.ts';
import type { QueryPiece } from '../../../src/planner/plan.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { encodeParameterDescription } from '../../../src/protocol/parameter-description.ts';
import { decodeParse } from '../../../src/protocol/parse-message.ts';
import { TypeOid } from '../../../src/protocol/type-oid.ts';
import { FakeConnection } from './fake-connection.ts';
import { int4, integerColumn, result, rowsOf } from './gathered-fixture.ts';
import { at, rowDescription, rows } from './select-fixture.ts';

const parameter: QueryPiece = { kind: 'parameter', index: 0 };
const typeOf = (number: number): QueryPiece => ({
  kind: 'intermediate-type',
  result: number,
  column: 0,
});

function lesson(
  intermediate: LearnRequest['intermediate'],
  {
    typeOids = [],
    values = [],
    known = null,
  }: {
    typeOids?: number[];
    values?: (Buffer | null)[];
    known?: LearnedStatement | null;
  } = {},
) {
  const server = new FakeConnection('home');
  const outcomes: LearnOutcome[] = [];
  const request: LearnRequest = {
    statementText: 'select the original',
    literalText: () => '1',
    parameters: { typeOids, formats: [], values },
    intermediate,
  };
  const numbers = intermediate.map((_, number) => number);
  const cancel = learn(server as ServerConnection, request, known, numbers, (outcome) =>
    outcomes.push(outcome),
  );
  /** The texts of the questions since the last call. */
  let seen = 0;
  const asked = () => {
    const parses = server.messages.filter((message) => message[0] === 'P'.charCodeAt(0));
    const fresh = parses.slice(seen).map((message) => decodeParse(message, 0, message.length));
    seen = parses.length;
    return fresh;
  };
  const describeStatement = (...parameterOids: number[]) => {
    server.deliver(encodeParameterDescription(parameterOids), rowDescription([int4('b')]));
    server.ready();
  };
  const describeResult = (column = int4('a'), answer: (string | null)[] = integerColumn) => {
    server.deliver(encodeParameterDescription([]), rowDescription([column]));
    server.ready();
    server.deliver(...rows(answer));
    server.ready();
  };
  return { server, outcomes, asked, cancel, describeStatement, describeResult };
}

function columnsOf({ outcomes }: { outcomes: LearnOutcome[] }) {
  const [outcome] = outcomes;
  if (outcome?.kind !== 'learned') throw new Error('nothing was learned');
  return [...outcome.statement.results].map(([number, [column]]) => [number, column?.castName]);
}

describe('what a server is asked about a plan', () => {
  it('leaves in one flight, also for results that read each other', () => {
    const staged = lesson([
      result('from t'),
      result('from u where a in ', rowsOf(0)),
      result('from ', rowsOf(1)),
    ]);
    expect(staged.server.flights).toEqual(['PDS', ...Array(3).fill(['PDS', 'PBES']).flat()]);
    const texts = staged.asked().map(({ sql }) => sql);
    expect(texts[0]).toBe('select the original');
    expect(texts[1]).toBe('whole of from t');
    expect(texts[3]).toBe(
      'WITH __pgweave_whole_0 AS (whole of from t\n) ' +
        'SELECT * FROM (whole of from u where a in * FROM __pgweave_whole_0\n) AS whole',
    );
    expect(texts[5]).toBe(
      'WITH __pgweave_whole_0 AS (whole of from t\n), ' +
        '__pgweave_whole_1 AS (whole of from u where a in * FROM __pgweave_whole_0\n) ' +
        'SELECT * FROM (whole of from * FROM __pgweave_whole_1\n) AS whole',
    );
    expect(texts[6]).toContain(texts[5]);
    staged.describeStatement();
    for (let count = 0; count < 3; count++) staged.describeResult();
    expect(columnsOf(staged)).toEqual([0, 1, 2].map((number) => [number, 'integer']));
  });

  it('is asked again only for modifiers, for all results together', () => {
    const staged = lesson([result('from t'), result('from u'), result('from v')]);
    staged.describeStatement();
    const price = { name: 'a', typeOid: TypeOid.numeric, typeModifier: 655_366 };
    staged.describeResult(price, ['b', '1700', 'numeric', null, null, 'f']);
    staged.describeResult();
    // A domain has the modifier of the type that it is over.
    staged.describeResult(price, ['d', '16500', 'public.price', null, null, 'f']);
    const [, , , , , , , ...more] = staged.asked();
    expect(more).toHaveLength(1);
    expect(at(more, 0).sql).toContain('(VALUES (0, 1700::pg_catalog.oid, 655366))');
    expect(staged.outcomes).toEqual([]);
    staged.server.deliver(...rows(['numeric(10,2)']));
    staged.server.ready();
    expect(columnsOf(staged)).toEqual([
      [1, 'integer'],
      [2, 'public.price'],
      [0, 'numeric(10,2)'],
    ]);
  });

  it('waits for the types of parameters only where these are read and not declared', () => {
    const results = [result('from t'), result('from u where a = ', parameter)];
    const values = [Buffer.from('5')];
    const staged = lesson(results, { values });
    expect(staged.asked().map(({ typeOids }) => typeOids)).toEqual([[], [25], [25]]);
    staged.describeStatement(TypeOid.int8);
    staged.describeResult();
    expect(staged.asked().map(({ sql, typeOids }) => [sql.includes('a = $1'), typeOids])).toEqual([
      [true, [20]],
      [true, [20]],
    ]);
    staged.describeResult();
    expect(columnsOf(staged)).toHaveLength(2);
    const declared = lesson(results, { values, typeOids: [TypeOid.int8] });
    expect(declared.asked().map(({ typeOids }) => typeOids)).toEqual([
      [20],
      [25],
      [25],
      [20],
      [20],
    ]);
  });

  it('waits for a type that a text names', () => {
    const staged = lesson([result('from t'), result('1::', typeOf(0))]);
    expect(staged.asked()).toHaveLength(3);
    staged.describeStatement();
    staged.describeResult();
    expect(staged.asked().map(({ sql }) => sql)[0]).toBe('whole of 1::integer');
    staged.describeResult();
    expect(columnsOf(staged)).toHaveLength(2);
  });

  it('is only what is not known', () => {
    const first = lesson([result('from t')]);
    first.describeStatement();
    first.describeResult();
    const [outcome] = first.outcomes;
    const known = outcome?.kind === 'learned' ? outcome.statement : null;
    const second = lesson([result('from t'), result('from ', rowsOf(0))], { known });
    expect(second.server.flights).toEqual(['PDS', 'PBES']);
    second.describeResult();
    expect(columnsOf(second)).toHaveLength(2);
  });

  it('fails with the first error, when all answers have come', () => {
    const staged = lesson([result('from t'), result('from u')]);
    staged.describeStatement();
    for (const message of ['first', 'second', 'third', 'fourth']) {
      expect(staged.outcomes).toEqual([]);
      staged.server.deliver(encodeErrorResponse(new PgError('42P01', message)));
      staged.server.ready();
    }
    expect(staged.outcomes).toEqual([{ kind: 'failed', error: { frame: expect.any(Buffer) } }]);
    const [outcome] = staged.outcomes;
    const error = outcome?.kind === 'failed' ? outcome.error : null;
    expect(error !== null && 'frame' in error ? error.frame.toString() : '').toContain('first');
  });

  it('fails for another number of columns or parameters than planned', () => {
    const columns = lesson([result('from t')]);
    columns.describeStatement();
    columns.server.deliver(rowDescription([int4('a'), int4('b')]));
    columns.server.ready();
    columns.server.ready();
    expect(columns.outcomes).toMatchObject([{ kind: 'failed', error: { sqlState: '42804' } }]);
    const parameters = lesson([result('from t')]);
    parameters.describeStatement(23);
    parameters.describeResult();
    expect(parameters.outcomes).toMatchObject([{ kind: 'failed', error: { sqlState: '08P01' } }]);
  });

  it('ends early when it is cancelled, and asks nothing more', () => {
    const staged = lesson([result('from t'), result('1::', typeOf(0))]);
    staged.cancel();
    expect(staged.server.cancelled).toHaveLength(1);
    staged.describeStatement();
    staged.describeResult();
    expect(staged.outcomes).toMatchObject([{ kind: 'failed', error: { sqlState: '57014' } }]);
    expect(staged.server.depth).toBe(0);
  });
});
