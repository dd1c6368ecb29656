import { describe, expect, it } from 'vitest';
import { comparatorForType } from '../../../src/executor/merge/comparators.ts';
import { compareRowsBy } from '../../../src/executor/merge/compare-rows.ts';
import { TypeOid } from '../../../src/protocol/type-oid.ts';
import { rowOf, sortKey } from './rows.ts';
import { readFixture } from './vectors.ts';

type Ordered = { [type: string]: [hex: string, rank: number][] };
const ordered = readFixture('ordered-values.json') as Ordered;
const oidOf: { readonly [type: string]: number } = { ...TypeOid, pg_lsn: TypeOid.pgLsn };

describe('comparators', () => {
  it.each(Object.keys(ordered))('order %s as the server does', (type) => {
    const comparator = comparatorForType(oidOf[type] ?? 0);
    expect(comparator).not.toBeNull();
    for (const [leftHex, leftRank] of ordered[type] ?? []) {
      for (const [rightHex, rightRank] of ordered[type] ?? []) {
        const left = Buffer.from(`00${leftHex}ff`, 'hex');
        const right = Buffer.from(`0000${rightHex}`, 'hex');
        const order = comparator?.compare(left, 1, left.length - 1, right, 2, right.length);
        expect([leftHex, rightHex, Math.sign(order ?? 9) + 0]).toEqual([
          leftHex,
          rightHex,
          Math.sign(leftRank - rightRank) + 0,
        ]);
      }
    }
  });

  it.each([
    ['int4', 3],
    ['int8', 4],
    ['uuid', 15],
    ['bool', 0],
    ['numeric', 7],
    ['interval', 12],
  ])('refuse a %s of %i bytes from a server', (type, size) => {
    const bytes = Buffer.alloc(size);
    expect(() =>
      comparatorForType(oidOf[type] ?? 0)?.compare(bytes, 0, size, bytes, 0, size),
    ).toThrow(expect.objectContaining({ sqlState: '22P03' }));
  });
});

describe('the order of rows', () => {
  const int4 = (value: number | null) => {
    if (value === null) return null;
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  };
  const sorted = (descending: boolean, nullsFirst: boolean) => {
    const compare = compareRowsBy([sortKey(0, { descending, nullsFirst })], [TypeOid.int4]);
    const values = [2, null, 1, null, 3];
    return values
      .map((value) => ({ value, row: rowOf([int4(value)]) }))
      .sort((left, right) => compare(left.row, right.row))
      .map(({ value }) => value);
  };

  it('places NULLs apart from the direction', () => {
    expect(sorted(false, false)).toEqual([1, 2, 3, null, null]);
    expect(sorted(false, true)).toEqual([null, null, 1, 2, 3]);
    expect(sorted(true, true)).toEqual([null, null, 3, 2, 1]);
    expect(sorted(true, false)).toEqual([3, 2, 1, null, null]);
  });

  it('looks at the second key when the first is equal', () => {
    const compare = compareRowsBy([sortKey(0), sortKey(1, { descending: true })], [23, 23]);
    const left = rowOf([int4(1), int4(2)]);
    const right = rowOf([int4(1), int4(3)]);
    expect(compare(left, right)).toBeGreaterThan(0);
    expect(compare(left, left)).toBe(0);
  });

  it('refuses text unless its byte order was proved, naming the remedy', () => {
    const key = sortKey(0, { collation: 'unknown', label: 'name' });
    expect(() => compareRowsBy([key], [TypeOid.text])).toThrow(
      expect.objectContaining({ sqlState: '0A000', hint: 'Use byte order: name COLLATE "C".' }),
    );
    expect(() => compareRowsBy([key], [TypeOid.int4])).not.toThrow();
  });

  it('refuses types whose order only a server knows', () => {
    for (const oid of [TypeOid.jsonb, TypeOid.inet, TypeOid.int4Array, 16_500]) {
      expect(() => compareRowsBy([sortKey(0)], [oid])).toThrow(
        expect.objectContaining({ sqlState: '0A000' }),
      );
    }
  });
});
