import { describe, expect, it } from 'vitest';
import { Append } from '../../../src/executor/merge/append.ts';
import { compareRowsBy } from '../../../src/executor/merge/compare-rows.ts';
import { KWayMerge } from '../../../src/executor/merge/k-way-merge.ts';
import { Limit } from '../../../src/executor/merge/limit.ts';
import { Sort } from '../../../src/executor/merge/sort.ts';
import { TypeOid } from '../../../src/protocol/type-oid.ts';
import { seededRandom } from '../../support/random.ts';
import { drain, int4, ListSource, sortKey, type Value } from './rows.ts';

const seed = 20_261_122;
const letters = (text: string): Value[][] => [...text].map((letter) => [letter]);
const joined = (rows: (string | null)[][]) => rows.map((row) => row[0] ?? '-').join('');
const byText = compareRowsBy([sortKey(0)], [TypeOid.text]);

describe('append', () => {
  it('passes all rows on, stays with an input that has some, and waits for the others', () => {
    const append = new Append([
      new ListSource(letters('ab'), [1]),
      new ListSource([]),
      new ListSource(letters('xyz')),
    ]);
    expect(joined(drain(append))).toBe('axyzb');
  });

  it('is pending only while no input has a row', () => {
    const append = new Append([new ListSource(letters('a'), [0]), new ListSource([], [0])]);
    expect([append.advance(), append.advance(), append.advance()]).toEqual([
      'pending',
      'row',
      'end',
    ]);
  });

  it('ends without inputs that have rows', () => {
    expect(drain(new Append([new ListSource([]), new ListSource([])]))).toEqual([]);
  });
});

describe('the k-way merge', () => {
  it('gives nothing out while an input may still hold a smaller row', () => {
    const merge = new KWayMerge(
      [new ListSource(letters('b')), new ListSource(letters('a'), [0])],
      byText,
    );
    expect(merge.advance()).toBe('pending');
    expect(joined(drain(merge))).toBe('ab');
  });

  it('keeps the order of the inputs within ties', () => {
    const merge = new KWayMerge(
      [
        new ListSource([
          ['k', '1'],
          ['k', '2'],
        ]),
        new ListSource([['k', '3']]),
        new ListSource([
          ['a', '4'],
          ['k', '5'],
        ]),
      ],
      byText,
    );
    expect(drain(merge).map((row) => row[1])).toEqual(['4', '1', '2', '3', '5']);
  });

  it.each([0, 1, 2, 3, 5, 8, 33])(
    'equals the sort of the concatenation for %i inputs',
    (inputs) => {
      const random = seededRandom(seed + inputs);
      for (let round = 0; round < 20; round++) {
        const keys = [
          sortKey(0, {
            descending: random.integer(0, 1) === 1,
            nullsFirst: random.integer(0, 1) === 1,
          }),
          sortKey(1, { descending: random.integer(0, 1) === 1 }),
        ];
        const compare = compareRowsBy(keys, [TypeOid.int4, TypeOid.text, TypeOid.text]);
        const lists = Array.from({ length: inputs }, (_, input) => {
          const rows = Array.from({ length: random.integer(0, 30) }, (_, index): Value[] => [
            random.integer(0, 9) === 0 ? null : int4(random.integer(-3, 3)),
            random.pick(['', 'a', 'b', 'é']),
            `${input}/${index}`,
          ]);
          return drainValues(new Sort(new ListSource(rows), compare, 1e9));
        });
        const pauses = lists.map((rows) =>
          rows.map((_, index) => index).filter(() => random.integer(0, 3) === 0),
        );
        const merged = new KWayMerge(
          lists.map((rows, index) => new ListSource(rows, pauses[index])),
          compare,
        );
        const whole = new Sort(new ListSource(lists.flat()), compare, 1e9);
        expect(drain(merged)).toEqual(drain(whole));
      }
    },
  );
});

describe('limit', () => {
  const rows = letters('abcdef');
  it.each([
    [0, 2, 'ab'],
    [2, 2, 'cd'],
    [4, 9, 'ef'],
    [9, 1, ''],
    [0, 0, ''],
    [3, Infinity, 'def'],
  ])('skips %d rows and passes %d on', (offset, count, expected) => {
    expect(joined(drain(new Limit(new ListSource(rows, [1, 4]), { offset, count })))).toBe(
      expected,
    );
  });

  it('asks its input no further than needed', () => {
    const input = new ListSource(rows, [2]);
    const limit = new Limit(input, { offset: 0, count: 2 });
    expect([limit.advance(), limit.advance(), limit.advance()]).toEqual(['row', 'row', 'end']);
    expect(input.advance()).toBe('pending');
  });
});

describe('sort', () => {
  it('keeps equal rows in the order they came', () => {
    const source = new ListSource(
      [
        ['b', '1'],
        ['a', '2'],
        ['b', '3'],
        ['a', '4'],
      ],
      [0, 2, 4],
    );
    expect(drain(new Sort(source, byText, 1e6)).map((row) => row[1])).toEqual(['2', '4', '1', '3']);
  });

  it('stops one byte past its limit of memory, naming the setting', () => {
    const rows = letters('abc');
    const needed = 3 * (12 + 256 + 8);
    expect(joined(drain(new Sort(new ListSource(rows), byText, needed)))).toBe('abc');
    expect(() => drain(new Sort(new ListSource(rows), byText, needed - 1))).toThrow(
      expect.objectContaining({
        sqlState: '53400',
        hint: expect.stringContaining('limits.merge_bytes_max'),
      }),
    );
  });
});

function drainValues(sort: Sort): Value[][] {
  const rows: Value[][] = [];
  while (sort.advance() === 'row') {
    const columns = Array.from({ length: sort.row.columnCount }, (_, column) =>
      sort.row.value(column),
    );
    rows.push(columns.map((value) => (value === null ? null : Buffer.from(value))));
  }
  return rows;
}
