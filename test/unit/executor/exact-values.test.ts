import { describe, expect, it } from 'vitest';
import { CollectedRows } from '../../../src/executor/intermediate/collected-rows.ts';
import { formatsToRead, valueReaders } from '../../../src/executor/intermediate/exact-values.ts';
import { GatherBudget } from '../../../src/executor/intermediate/gather-budget.ts';
import type { ResultColumn } from '../../../src/executor/intermediate/result-column.ts';
import { encodeDataRow } from '../../../src/protocol/data-row.ts';
import { TypeOid } from '../../../src/protocol/type-oid.ts';

function column(typeOid: number): ResultColumn {
  const names = { typeName: 'any', castName: 'any' };
  return { typeOid, ...names, collation: null, inputFunction: null, isComposed: false };
}

function read(typeOid: number, value: Buffer): string {
  const [reader = null] = valueReaders([column(typeOid)]);
  if (reader === null) throw new Error('it has a reader');
  return reader(Buffer.concat([Buffer.alloc(3), value]), 3, value.length);
}

function int4(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int8(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

const dayMicroseconds = 86_400_000_000n;

describe('binary values as text that every server reads alike', () => {
  it.each([
    [0, '2000-01-01'],
    [-1, '1999-12-31'],
    [59, '2000-02-29'],
    [366 + 59, '2001-03-01'],
    [-730_119, '0001-01-01'],
    [-730_120, '0001-12-31 BC'],
    [-2_451_545, '4714-11-24 BC'],
    [2_145_031_948, '5874897-12-31'],
    [2 ** 31 - 1, 'infinity'],
    [-(2 ** 31), '-infinity'],
  ])('of day %i', (days, text) => {
    expect(read(TypeOid.date, int4(days))).toBe(text);
  });

  it.each([
    [0n, '2000-01-01 00:00:00'],
    [-1n, '1999-12-31 23:59:59.999999'],
    [500_000n, '2000-01-01 00:00:00.500000'],
    [-730_120n * dayMicroseconds + 1n, '0001-12-31 00:00:00.000001 BC'],
    [9_223_371_331_199_999_999n, '294276-12-31 23:59:59.999999'],
    [2n ** 63n - 1n, 'infinity'],
    [-(2n ** 63n), '-infinity'],
  ])('of microsecond %i', (microseconds, text) => {
    expect(read(TypeOid.timestamp, int8(microseconds))).toBe(text);
    const zoned = text.endsWith('infinity') ? text : text.replace(/( BC)?$/, '+00$1');
    expect(read(TypeOid.timestamptz, int8(microseconds))).toBe(zoned);
  });

  it('name the same days as JavaScript does', () => {
    for (let days = -700_000; days < 900_000; days += 997) {
      const date = new Date((days + 10_957) * 86_400_000);
      expect(read(TypeOid.date, int4(days))).toBe(date.toISOString().slice(0, 10));
    }
  });

  it('keep every bit of a number', () => {
    for (const value of [0.1, -0, 5e-324, 1e23, 2 ** 53 + 2, Number.MAX_VALUE, -Infinity, NaN]) {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(value);
      const text = read(TypeOid.float8, bytes);
      expect(Object.is(text === '-0' ? -0 : Number(text), value)).toBe(true);
    }
    const single = Buffer.alloc(4);
    single.writeFloatBE(0.1);
    expect(Math.fround(Number(read(TypeOid.float4, single)))).toBe(Math.fround(0.1));
  });

  it('of another size than the type has are refused', () => {
    expect(() => read(TypeOid.date, int8(0n))).toThrow('a binary value of 8 bytes');
  });

  it('are asked for where a column needs it, and counted as what they become', () => {
    const columns = [column(TypeOid.text), column(TypeOid.date)];
    expect(formatsToRead(columns)).toEqual([0, 1]);
    expect(formatsToRead([column(TypeOid.text)])).toEqual([]);
    const budget = new GatherBudget(1000);
    const rows = new CollectedRows(['a', 'b'], valueReaders(columns), budget);
    rows.add(Buffer.concat([encodeDataRow(['x', int4(0)]), encodeDataRow(['y', null])]), 2);
    expect(rows.bytes).toBe(4 * 4 + 1 + 1 + '2000-01-01'.length);
  });
});
