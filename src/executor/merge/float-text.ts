import { assert } from '../../base/assert.ts';

// float8out and float4out. PostgreSQL prints the shortest decimal that lies strictly between the
// midpoints to both neighbours, so that it reads back the same under any rounding of ties; JavaScript
// also accepts a midpoint itself (1e23) and cannot be used as it is.
// Source: src/common/d2s.c, f2s.c (STRICTLY_SHORTEST 0), src/backend/utils/adt/float.c.

type FloatFormat = {
  /** Bits of the significand, the implicit one included. */
  readonly precision: number;
  /** Exponent of the smallest subnormal. */
  readonly exponentMin: number;
  /** Significant digits of DBL_DIG, FLT_DIG. */
  readonly safeDigits: number;
  /** Digits that always suffice. */
  readonly digitsMax: number;
  /** Decimal exponents from here on are written with `e+`. */
  readonly fixedExponentEnd: number;
};

const double: FloatFormat = {
  precision: 53,
  exponentMin: -1074,
  safeDigits: 15,
  digitsMax: 17,
  fixedExponentEnd: 15,
};
const single: FloatFormat = {
  precision: 24,
  exponentMin: -149,
  safeDigits: 6,
  digitsMax: 9,
  fixedExponentEnd: 6,
};

/** `extraFloatDigits` is the session's setting, -15 to 3. */
export function float8Text(value: number, extraFloatDigits: number): string {
  return floatText(value, extraFloatDigits, double);
}

/** `value` must be exactly a float4. */
export function float4Text(value: number, extraFloatDigits: number): string {
  return floatText(value, extraFloatDigits, single);
}

function floatText(value: number, extraFloatDigits: number, format: FloatFormat): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return 'Infinity';
  if (value === -Infinity) return '-Infinity';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if (value === 0) return `${sign}0`;
  const magnitude = Math.abs(value);
  if (extraFloatDigits > 0) {
    return sign + plainOrExponent(shortest(magnitude, format), format.fixedExponentEnd);
  }
  // C's %.*g.
  const digitCount = Math.max(1, format.safeDigits + extraFloatDigits);
  return sign + plainOrExponent(rounded(magnitude, digitCount, format), digitCount);
}

/** Nearest decimal of `digitCount` digits, ties to even: toExponential alone rounds ties up. */
function rounded(magnitude: number, digitCount: number, format: FloatFormat): string {
  const { value, exponent } = midpoints(magnitude, format);
  const anywhere = { low: 0n, value, high: 16n * value, exponent };
  const text = nearestBetween(anywhere, magnitude.toExponential(digitCount - 1));
  assert(text !== null, 'a positive number has a nearest decimal');
  return text;
}

/** In the form `d.ddde+x`. */
function shortest(magnitude: number, format: FloatFormat): string {
  // No decimal is shorter than the shortest that reads back, which JavaScript knows for doubles.
  const reads = magnitude.toExponential();
  const digitsMin = format === double ? reads.replace('.', '').indexOf('e') : 1;
  const limits = midpoints(magnitude, format);
  for (let digitCount = digitsMin; ; digitCount++) {
    assert(digitCount <= format.digitsMax, 'so many digits tell all numbers apart');
    const text = nearestBetween(limits, magnitude.toExponential(digitCount - 1));
    if (text !== null) return text;
  }
}

/** `value`, and the midpoints to its neighbours, as multiples of 2^exponent. */
type Limits = {
  readonly low: bigint;
  readonly value: bigint;
  readonly high: bigint;
  readonly exponent: number;
};

function midpoints(magnitude: number, format: FloatFormat): Limits {
  const { significand, exponent } = decompose(magnitude, format);
  // In quarters of a unit in the last place: the gap below a power of two is half as wide.
  const atPower = significand === 1n << BigInt(format.precision - 1);
  const below = atPower && exponent > format.exponentMin ? 1n : 2n;
  const value = 4n * significand;
  return { low: value - below, value, high: value + 2n, exponent: exponent - 2 };
}

/**
 * The decimal with as many digits as `decimal` (the nearest one, ties up) that lies strictly
 * between the midpoints and closest to the value, ties to even; null when there is none. The
 * nearest may fall short of a midpoint where the one above does not, at powers of two.
 */
function nearestBetween(limits: Limits, decimal: string): string | null {
  const [mantissa = '', power = '0'] = decimal.split('e');
  const nearest = BigInt(mantissa.replace('.', ''));
  const tens = Number(power) - (mantissa.replace('.', '').length - 1);
  const perDigit = scaleUp(10n, tens) * scaleUp(2n, -limits.exponent);
  const unit = scaleUp(10n, -tens) * scaleUp(2n, limits.exponent);
  const distance = (digits: bigint) => absolute(digits * perDigit - limits.value * unit);
  const isBetween = (digits: bigint) =>
    digits * perDigit > limits.low * unit && digits * perDigit < limits.high * unit;
  let best: bigint | null = null;
  for (const digits of [nearest - 1n, nearest, nearest + 1n]) {
    if (!isBetween(digits)) continue;
    const gain = best === null ? 1n : distance(best) - distance(digits);
    if (gain > 0n || (gain === 0n && digits % 2n === 0n)) best = digits;
  }
  return best === null ? null : withPoint(best.toString(), tens);
}

function withPoint(digits: string, tens: number): string {
  return `${digits[0]}.${digits.slice(1)}e${tens + digits.length - 1}`;
}

function absolute(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function scaleUp(base: bigint, power: number): bigint {
  return power > 0 ? base ** BigInt(power) : 1n;
}

/** `magnitude = significand * 2^exponent`. */
function decompose(magnitude: number, format: FloatFormat) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, magnitude);
  const bits = view.getBigUint64(0);
  const biased = Number(bits >> 52n);
  const fraction = bits & ((1n << 52n) - 1n);
  const exact = biased === 0 ? fraction : fraction | (1n << 52n);
  const doubleExponent = Math.max(biased, 1) - 1075;
  const exponent = Math.max(doubleExponent + (53 - format.precision), format.exponentMin);
  const drop = BigInt(exponent - doubleExponent);
  return { significand: exact >> drop, exponent };
}

function plainOrExponent(text: string, fixedExponentEnd: number): string {
  const [mantissa = '', power = '0'] = text.split('e');
  const exponent = Number(power);
  const digits = mantissa.replace('.', '').replace(/0+$/, '');
  if (exponent < -4 || exponent >= fixedExponentEnd) {
    const head = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
    const sign = exponent < 0 ? '-' : '+';
    return `${head}e${sign}${Math.abs(exponent).toString().padStart(2, '0')}`;
  }
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`;
  if (digits.length <= exponent + 1) return digits.padEnd(exponent + 1, '0');
  return `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}
