import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';

/**
 * A value of PostgreSQL's `numeric`, exact. A finite one is `unscaled / 10^scale`; `scale` is the
 * display scale (0 to 16383), so 1.50 and 1.5 are different values of this type though equal in SQL.
 */
export type Numeric =
  | { readonly kind: 'finite'; readonly unscaled: bigint; readonly scale: number }
  | { readonly kind: 'nan' | 'infinity' | '-infinity' };

/** Sign words of the wire format. Source: src/backend/utils/adt/numeric.c, numeric_send. */
export const numericSign = {
  positive: 0x0000,
  negative: 0x4000,
  nan: 0xc000,
  infinity: 0xd000,
  negativeInfinity: 0xf000,
} as const;

/** Bytes before the digits: digit count, weight, sign, display scale; 16 bits each. */
export const numericHeaderBytes = 8;
const digitBase = 10_000n;
const decimalsPerDigit = 4;
/** The format holds at most this many decimal digits before the point. */
const integerDigitsMax = 131_072;

/**
 * Reads the binary format: base-10000 digits, the first one worth 10000^weight. 22P03 when the
 * bytes are not a numeric.
 */
export function decodeNumeric(bytes: Buffer, start: number, length: number): Numeric {
  if (length < numericHeaderBytes) throw malformed();
  const digitCount = bytes.readInt16BE(start);
  const weight = bytes.readInt16BE(start + 2);
  const sign = bytes.readUInt16BE(start + 4);
  const scale = bytes.readUInt16BE(start + 6);
  if (sign === numericSign.nan) return { kind: 'nan' };
  if (sign === numericSign.infinity) return { kind: 'infinity' };
  if (sign === numericSign.negativeInfinity) return { kind: '-infinity' };
  if (digitCount < 0 || length !== numericHeaderBytes + 2 * digitCount) throw malformed();
  let digits = 0n;
  for (let index = 0; index < digitCount; index++) {
    const digit = bytes.readUInt16BE(start + numericHeaderBytes + 2 * index);
    digits = digits * digitBase + BigInt(digit);
  }
  const exponent = decimalsPerDigit * (weight - digitCount + 1) + scale;
  const unscaled =
    exponent >= 0 ? digits * 10n ** BigInt(exponent) : digits / 10n ** BigInt(-exponent);
  return { kind: 'finite', unscaled: sign === numericSign.negative ? -unscaled : unscaled, scale };
}

/** The binary format, as numeric_send writes it. 22003 when the value has too many digits. */
export function encodeNumeric(value: Numeric): Buffer {
  if (value.kind !== 'finite') return encodeSpecial(value.kind);
  const { integer, fraction } = decimalDigits(value);
  if (integer.length > integerDigitsMax) throw overflow();
  const whole = integer.padStart(nextMultiple(integer.length), '0');
  const padded = whole + fraction.padEnd(nextMultiple(fraction.length), '0');
  const digits: number[] = [];
  for (let at = 0; at < padded.length; at += decimalsPerDigit) {
    digits.push(Number(padded.slice(at, at + decimalsPerDigit)));
  }
  const first = digits.findIndex((digit) => digit !== 0);
  const last = digits.findLastIndex((digit) => digit !== 0);
  const kept = first < 0 ? [] : digits.slice(first, last + 1);
  const bytes = Buffer.allocUnsafe(numericHeaderBytes + 2 * kept.length);
  bytes.writeInt16BE(kept.length, 0);
  bytes.writeInt16BE(first < 0 ? 0 : whole.length / decimalsPerDigit - 1 - first, 2);
  bytes.writeUInt16BE(value.unscaled < 0n ? numericSign.negative : numericSign.positive, 4);
  bytes.writeUInt16BE(value.scale, 6);
  kept.forEach((digit, index) => {
    bytes.writeUInt16BE(digit, numericHeaderBytes + 2 * index);
  });
  return bytes;
}

/** As numeric_out writes it: exactly `scale` digits after the point. */
export function numericText(value: Numeric): string {
  switch (value.kind) {
    case 'nan':
      return 'NaN';
    case 'infinity':
      return 'Infinity';
    case '-infinity':
      return '-Infinity';
    default: {
      const { integer, fraction } = decimalDigits(value);
      if (integer.length > integerDigitsMax) throw overflow();
      const sign = value.unscaled < 0n ? '-' : '';
      return value.scale === 0 ? sign + integer : `${sign}${integer}.${fraction}`;
    }
  }
}

function decimalDigits(value: { readonly unscaled: bigint; readonly scale: number }) {
  const magnitude = value.unscaled < 0n ? -value.unscaled : value.unscaled;
  const digits = magnitude.toString().padStart(value.scale + 1, '0');
  const point = digits.length - value.scale;
  return { integer: digits.slice(0, point), fraction: digits.slice(point) };
}

function nextMultiple(length: number): number {
  return Math.ceil(length / decimalsPerDigit) * decimalsPerDigit;
}

function encodeSpecial(kind: 'nan' | 'infinity' | '-infinity'): Buffer {
  const bytes = Buffer.alloc(numericHeaderBytes);
  const sign = {
    nan: numericSign.nan,
    infinity: numericSign.infinity,
    '-infinity': numericSign.negativeInfinity,
  }[kind];
  bytes.writeUInt16BE(sign, 4);
  // numeric_send takes part of an infinity's header for its display scale; NaN's happens to be 0.
  bytes.writeUInt16BE(kind === 'nan' ? 0 : 0x20, 6);
  return bytes;
}

function malformed(): PgError {
  return new PgError(
    SqlState.invalidBinaryRepresentation,
    'invalid binary numeric received from a server',
  );
}

function overflow(): PgError {
  return new PgError(SqlState.numericValueOutOfRange, 'value overflows numeric format');
}
