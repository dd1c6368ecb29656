import { describe, expect, it } from 'vitest';
import {
  decodeNumeric,
  encodeNumeric,
  type Numeric,
  numericText,
} from '../../../src/executor/merge/numeric.ts';
import { addNumeric, averageNumeric } from '../../../src/executor/merge/numeric-arithmetic.ts';
import { readFixture } from './vectors.ts';

type Vector = [
  a: string,
  text: string,
  b: string,
  sum: string,
  sumHex: string,
  n: string,
  quotient: string,
  quotientHex: string,
];
const vectors = readFixture('numeric-vectors.json') as Vector[];

function fromHex(hex: string): Numeric {
  const bytes = Buffer.from(`aa${hex}`, 'hex');
  return decodeNumeric(bytes, 1, bytes.length - 1);
}

describe('numeric', () => {
  it('has vectors', () => {
    expect(vectors.length).toBeGreaterThan(300);
  });

  it.each(vectors)('reads, writes, adds and divides %s (%s) as the server does', (...vector) => {
    const [a, text, b, sumText, sumHex, n, quotientText, quotientHex] = vector;
    const value = fromHex(a);
    const sum = addNumeric(value, fromHex(b));
    const quotient = averageNumeric(value, BigInt(n));
    expect(numericText(value)).toBe(text);
    expect(encodeNumeric(value).toString('hex')).toBe(a);
    expect([numericText(sum), encodeNumeric(sum).toString('hex')]).toEqual([sumText, sumHex]);
    expect([numericText(quotient), encodeNumeric(quotient).toString('hex')]).toEqual([
      quotientText,
      quotientHex,
    ]);
  });

  it('makes NaN of opposite infinities', () => {
    expect(addNumeric({ kind: 'infinity' }, { kind: '-infinity' })).toEqual({ kind: 'nan' });
  });

  it.each(['', '0001', '00010000000000', '0001000000000000', 'ffff000000000000'])(
    'refuses the bytes "%s"',
    (hex) => {
      const bytes = Buffer.from(hex, 'hex');
      expect(() => decodeNumeric(bytes, 0, bytes.length)).toThrow(
        expect.objectContaining({ sqlState: '22P03' }),
      );
    },
  );

  it('holds 131072 digits before the point and not one more', () => {
    const largest: Numeric = { kind: 'finite', unscaled: 10n ** 131072n - 1n, scale: 0 };
    const tooLarge: Numeric = { kind: 'finite', unscaled: 10n ** 131072n, scale: 0 };
    expect(numericText(largest)).toHaveLength(131072);
    expect(() => numericText(tooLarge)).toThrow(expect.objectContaining({ sqlState: '22003' }));
    expect(() => encodeNumeric(tooLarge)).toThrow(expect.objectContaining({ sqlState: '22003' }));
  });
});
