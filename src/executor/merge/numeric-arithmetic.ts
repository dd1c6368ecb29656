import type { Numeric } from './numeric.ts';

// The rules of PostgreSQL's numeric.c, so that a sum or an average folded here has every digit and
// the display scale that one server would have given.

/** Digits of precision that a quotient has at least (NUMERIC_MIN_SIG_DIGITS). */
const significantDigitsMin = 16;
/** NUMERIC_MAX_DISPLAY_SCALE. */
const displayScaleMax = 1000;

export function integerNumeric(value: bigint): Numeric {
  return { kind: 'finite', unscaled: value, scale: 0 };
}

/** The sum, with the larger of both display scales; Infinity and -Infinity make NaN. */
export function addNumeric(left: Numeric, right: Numeric): Numeric {
  if (left.kind === 'finite' && right.kind === 'finite') {
    const scale = Math.max(left.scale, right.scale);
    return { kind: 'finite', unscaled: rescaled(left, scale) + rescaled(right, scale), scale };
  }
  if (left.kind === 'finite') return right;
  if (right.kind === 'finite') return left;
  return left.kind === right.kind ? left : { kind: 'nan' };
}

/** `sum / count` as numeric_div rounds it; `count` is positive. */
export function averageNumeric(sum: Numeric, count: bigint): Numeric {
  if (sum.kind !== 'finite') return sum;
  const scale = quotientScale(sum, count);
  const shift = scale - sum.scale;
  const numerator = sum.unscaled * 10n ** BigInt(Math.max(shift, 0));
  const divisor = count * 10n ** BigInt(Math.max(-shift, 0));
  return { kind: 'finite', unscaled: divideHalfAwayFromZero(numerator, divisor), scale };
}

function rescaled(value: { unscaled: bigint; scale: number }, scale: number): bigint {
  return scale === value.scale
    ? value.unscaled
    : value.unscaled * 10n ** BigInt(scale - value.scale);
}

/** select_div_scale: counts in base-10000 digits, whose borders lie at the decimal point. */
function quotientScale(sum: { unscaled: bigint; scale: number }, count: bigint): number {
  const dividend = leadingDigit(sum.unscaled, sum.scale);
  const divisor = leadingDigit(count, 0);
  // Equal first digits may go either way: then the quotient is assumed to be the smaller one.
  const borrow = dividend.digit <= divisor.digit ? 1 : 0;
  const quotientWeight = dividend.weight - divisor.weight - borrow;
  const wanted = Math.max(significantDigitsMin - quotientWeight * 4, sum.scale);
  return Math.min(wanted, displayScaleMax);
}

/** The first base-10000 digit that is not zero, and its power of 10000; 0 and 0 for zero. */
function leadingDigit(unscaled: bigint, scale: number): { digit: number; weight: number } {
  if (unscaled === 0n) return { digit: 0, weight: 0 };
  const decimals = (unscaled < 0n ? -unscaled : unscaled).toString();
  const weight = Math.floor((decimals.length - scale - 1) / 4);
  const digitLength = decimals.length - scale - weight * 4;
  return { digit: Number(decimals.slice(0, digitLength).padEnd(digitLength, '0')), weight };
}

function divideHalfAwayFromZero(numerator: bigint, divisor: bigint): bigint {
  const magnitude = numerator < 0n ? -numerator : numerator;
  const rounded = (2n * magnitude + divisor) / (2n * divisor);
  return numerator < 0n ? -rounded : rounded;
}
