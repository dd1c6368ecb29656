import { describe, expect, it } from 'vitest';
import { encodeNumeric } from '../../../src/executor/merge/numeric.ts';
import { rowRange } from '../../../src/executor/merge/row-count.ts';
import { TypeOid } from '../../../src/protocol/type-oid.ts';
import { int4, int8 } from './rows.ts';

const none = { typeOids: [], formats: [], values: [] };

function limitOf(token: string): number {
  const count = { kind: 'literal', slot: 0 } as const;
  return rowRange({ count, offset: null }, { literalText: () => token, parameters: none }).count;
}

function limitOfParameter(value: Buffer | null, format: number, typeOid: number): number {
  const count = { kind: 'parameter', index: 0 } as const;
  const parameters = { typeOids: [typeOid], formats: [format], values: [value] };
  return rowRange({ count, offset: null }, { literalText: () => '', parameters }).count;
}

describe('LIMIT and OFFSET', () => {
  it.each([
    ['5', 5],
    ["'5'", 5],
    ["E'5'", 5],
    ["' 7 '", 7],
    ['0x1F', 31],
    ['1_000', 1000],
    ['2.5', 3],
    ['2.4', 2],
    ['1e2', 100],
    ['.5', 1],
    ['0', 0],
    ['9223372036854775807', Number(2n ** 63n)],
  ])('read the literal %s as %d rows', (token, rows) => {
    expect(limitOf(token)).toBe(rows);
  });

  it.each([
    [Buffer.from('12'), 0, 0, 12],
    [Buffer.from('12'), 0, TypeOid.int4, 12],
    [int8(12), 1, 0, 12],
    [int8(12), 1, TypeOid.int8, 12],
    [int4(12), 1, TypeOid.int4, 12],
    [Buffer.from([0, 12]), 1, TypeOid.int2, 12],
    [encodeNumeric({ kind: 'finite', unscaled: 125n, scale: 1 }), 1, TypeOid.numeric, 13],
    [null, 0, 0, Infinity],
  ])('read the parameter %j', (value, format, typeOid, rows) => {
    expect(limitOfParameter(value, format, typeOid)).toBe(rows);
  });

  it('are no limit and no offset when absent or NULL', () => {
    const values = { literalText: () => '', parameters: { ...none, values: [null] } };
    const ref = { kind: 'parameter', index: 0 } as const;
    expect(rowRange({ count: null, offset: null }, values)).toEqual({ offset: 0, count: Infinity });
    expect(rowRange({ count: ref, offset: ref }, values)).toEqual({ offset: 0, count: Infinity });
  });

  it('refuse negative numbers, OFFSET first', () => {
    const values = { literalText: () => "'-1'", parameters: none };
    const ref = { kind: 'literal', slot: 0 } as const;
    expect(() => rowRange({ count: ref, offset: ref }, values)).toThrow(
      expect.objectContaining({ sqlState: '2201X', message: 'OFFSET must not be negative' }),
    );
    expect(() => rowRange({ count: ref, offset: null }, values)).toThrow(
      expect.objectContaining({ sqlState: '2201W', message: 'LIMIT must not be negative' }),
    );
  });

  it.each([
    ["'x'", '22P02'],
    ["''", '22P02'],
    ['9223372036854775808', '22003'],
    ['1e30', '22003'],
  ])('refuse %s', (token, sqlState) => {
    expect(() => limitOf(token)).toThrow(expect.objectContaining({ sqlState }));
  });

  it('refuse floating point, which rounds in another way', () => {
    expect(() => limitOfParameter(Buffer.from('2.5'), 0, TypeOid.float8)).toThrow(
      expect.objectContaining({ sqlState: '0A000' }),
    );
  });

  it('refuse binary values of another size or type', () => {
    for (const typeOid of [0, TypeOid.int8, TypeOid.int4]) {
      expect(() => limitOfParameter(Buffer.alloc(3), 1, typeOid)).toThrow(
        expect.objectContaining({ sqlState: '22P03' }),
      );
    }
  });
});
