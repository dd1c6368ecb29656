import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareNumeric } from '../../../src/executor/merge/compare-numeric.ts';
import { float8Text } from '../../../src/executor/merge/float-text.ts';
import {
  decodeNumeric,
  encodeNumeric,
  type Numeric,
  numericText,
} from '../../../src/executor/merge/numeric.ts';
import { addNumeric, averageNumeric } from '../../../src/executor/merge/numeric-arithmetic.ts';
import { anyBytes, damaged, outcome } from '../../support/properties.ts';

const finite: fc.Arbitrary<Numeric> = fc
  .tuple(fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }), fc.nat(40))
  .map(([unscaled, scale]) => ({ kind: 'finite', unscaled, scale }));
const numeric: fc.Arbitrary<Numeric> = fc.oneof(
  { weight: 8, arbitrary: finite },
  fc.constantFrom<Numeric>({ kind: 'nan' }, { kind: 'infinity' }, { kind: '-infinity' }),
);

function again(value: Numeric): Numeric {
  const bytes = encodeNumeric(value);
  return decodeNumeric(bytes, 0, bytes.length);
}

describe('numeric arithmetic', () => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(numeric, (value) => {
        expect(again(value)).toEqual(value);
      }),
    );
  });

  it('adds in any order to the same digits', () => {
    fc.assert(
      fc.property(numeric, numeric, numeric, (a, b, c) => {
        expect(addNumeric(a, b)).toEqual(addNumeric(b, a));
        const left = addNumeric(addNumeric(a, b), c);
        expect(addNumeric(a, addNumeric(b, c))).toEqual(left);
        expect(numericText(again(left))).toBe(numericText(left));
      }),
    );
  });

  it('takes an average that times its count is the sum, but for its last digit', () => {
    fc.assert(
      fc.property(finite, fc.bigInt({ min: 1n, max: 10n ** 12n }), (sum, count) => {
        const average = averageNumeric(sum, count);
        if (sum.kind !== 'finite' || average.kind !== 'finite') throw new Error('both are finite');
        const scale = Math.max(sum.scale, average.scale);
        const difference =
          2n *
          (average.unscaled * count * 10n ** BigInt(scale - average.scale) -
            sum.unscaled * 10n ** BigInt(scale - sum.scale));
        const lastDigit = count * 10n ** BigInt(scale - average.scale);
        expect(difference <= lastDigit && difference >= -lastDigit).toBe(true);
      }),
    );
  });

  it('orders as subtraction does', () => {
    fc.assert(
      fc.property(finite, finite, (left, right) => {
        if (left.kind !== 'finite' || right.kind !== 'finite') return;
        const difference = addNumeric(left, { ...right, unscaled: -right.unscaled });
        const wanted = difference.kind === 'finite' ? difference.unscaled : 0n;
        const [a, b] = [encodeNumeric(left), encodeNumeric(right)];
        const found = compareNumeric(a, 0, a.length, b, 0, b.length);
        expect(Math.sign(found)).toBe(wanted > 0n ? 1 : wanted < 0n ? -1 : 0);
      }),
    );
  });

  it('refuses bytes that are no number in its own words', () => {
    fc.assert(
      fc.property(
        fc.oneof(damaged(numeric.map(encodeNumeric)), anyBytes),
        numeric,
        (bytes, other) => {
          outcome(() => numericText(decodeNumeric(bytes, 0, bytes.length)));
          outcome(() => encodeNumeric(decodeNumeric(bytes, 0, bytes.length)));
          const right = encodeNumeric(other);
          outcome(() => compareNumeric(bytes, 0, bytes.length, right, 0, right.length));
        },
      ),
    );
  });
});

describe('a double precision number', () => {
  it('is read back from its text', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        expect(Object.is(Number(float8Text(value, 1)), value)).toBe(true);
        float8Text(value, -15);
        float8Text(value, 0);
      }),
    );
  });
});
