import { describe, expect, it } from 'vitest';
import type { WireAnswer } from '../support/wire-client.ts';
import { difference, isRefusal } from './compare.ts';
import { emptySelect, plainText, type Select } from './query.ts';

const query = plainText('select n from t');

describe('the comparison of answers', () => {
  it('accepts the same rows in another order where nothing sorts them', () => {
    expect(difference(query, answer(['1', '2']), answer(['2', '1']), null)).toBeNull();
  });

  it('sees a row too many, a row too few and a row twice', () => {
    expect(difference(query, answer(['1', '2']), answer(['1']), null)).not.toBeNull();
    expect(difference(query, answer(['1']), answer(['1', '2']), null)).not.toBeNull();
    expect(difference(query, answer(['1', '1']), answer(['1', '2']), null)).not.toBeNull();
  });

  it('tells NULL from an empty string and bytes from their replacement character', () => {
    expect(difference(query, answer([null]), answer(['']), null)).not.toBeNull();
    const bytes = (value: number[]) => answerOf([[Buffer.from(value)]]);
    expect(difference(query, bytes([0xff]), bytes([0xfe]), null)).not.toBeNull();
  });

  it('wants the order where it is total', () => {
    const sorted = select({ isTotal: true });
    expect(difference(sorted, answer(['2', '1']), answer(['1', '2']), null)).not.toBeNull();
    expect(difference(sorted, answer(['1', '2']), answer(['1', '2']), null)).toBeNull();
  });

  it('wants the sorted column in order where ties leave the rest open', () => {
    const sorted = select({ isTotal: false });
    expect(difference(sorted, answer(['2', '1']), answer(['1', '2']), null)).not.toBeNull();
  });

  it('lets a limit without a total order choose among the rows of the query', () => {
    const limited: Select = { ...emptySelect, columns: [['n']], limit: ['1'] };
    const all = answer(['1', '2']).results[0]?.rows ?? [];
    expect(difference(limited, answer(['2']), answer(['1']), all)).toBeNull();
    expect(difference(limited, answer(['3']), answer(['1']), all)).not.toBeNull();
    expect(difference(limited, answer(['1', '2']), answer(['1']), all)).not.toBeNull();
  });

  it('compares tags, columns, SQLSTATEs and the transaction status', () => {
    const expected = answer(['1']);
    const other = (change: Partial<WireAnswer['results'][number]>): WireAnswer => ({
      ...expected,
      results: expected.results.map((result) => ({ ...result, ...change })),
    });
    expect(difference(query, other({ tag: 'SELECT 2' }), expected, null)).not.toBeNull();
    expect(difference(query, other({ columns: null }), expected, null)).not.toBeNull();
    expect(difference(query, { ...expected, status: 'T' }, expected, null)).not.toBeNull();
    expect(difference(query, { ...expected, results: [] }, expected, null)).not.toBeNull();
    expect(difference(query, failure('22012'), expected, null)).not.toBeNull();
    expect(difference(query, failure('22012'), failure('42601'), null)).not.toBeNull();
    expect(difference(query, failure('22012'), failure('22012'), null)).toBeNull();
  });

  it('forgives the last digits of double precision, and of nothing else', () => {
    const typed = (typeOid: number, value: string): WireAnswer => {
      const made = answer([value, '7']);
      const [result] = made.results;
      if (result === undefined) throw new Error('an answer has a result');
      const columns = result.columns?.map((column) => ({ ...column, typeOid })) ?? null;
      return { ...made, results: [{ ...result, columns }] };
    };
    const [exact, near, far] = ['0.3', '0.30000000000000004', '0.3001'];
    expect(difference(query, typed(701, near), typed(701, exact), null)).toBeNull();
    expect(difference(query, typed(701, far), typed(701, exact), null)).not.toBeNull();
    expect(difference(query, typed(1700, near), typed(1700, exact), null)).not.toBeNull();
    const sorted = select({ isTotal: true });
    expect(difference(sorted, typed(701, near), typed(701, exact), null)).toBeNull();
  });

  it('takes only 0A000 for a refusal', () => {
    expect(isRefusal(failure('0A000'))).toBe(true);
    expect(isRefusal(failure('XX000'))).toBe(false);
    expect(isRefusal(answer(['1']))).toBe(false);
  });
});

function select(options: { readonly isTotal: boolean }): Select {
  const orderBy = [{ expression: ['n'], direction: '', output: 0 }];
  return { ...emptySelect, columns: [['n']], orderBy, ...options };
}

function answer(values: readonly (string | null)[]): WireAnswer {
  return answerOf(values.map((value) => [value === null ? null : Buffer.from(value)]));
}

function answerOf(rows: readonly (readonly (Buffer | null)[])[]): WireAnswer {
  const column = { name: 'n', typeOid: 25, typeSize: -1, typeModifier: -1, format: 0 };
  const result = { columns: [column], rows, tag: `SELECT ${rows.length}` };
  return { results: [result], error: null, status: 'I' };
}

function failure(sqlState: string): WireAnswer {
  const error = { sqlState, message: '', severity: 'ERROR', fields: new Map<string, string>() };
  return { results: [], error, status: 'I' };
}
