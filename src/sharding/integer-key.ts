import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { decimalFromBinary } from './decimal.ts';
import {
  integerKey,
  invalidBinary,
  invalidSyntax,
  type KeyReading,
  type KeyTarget,
  unknownPair,
} from './key-reading.ts';

type IntegerType = 'int2' | 'int4' | 'int8';

const titles: { readonly [type in IntegerType]: string } = {
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
};
const bits: { readonly [type in IntegerType]: number } = { int2: 16, int4: 32, int8: 64 };

/** Doubles of this size and above may equal several bigints when PostgreSQL compares them. */
const exactDoubleMax = 2 ** 53;
/** Longer numbers than this are not worth the arithmetic. */
const digitsMax = 1000;

/** As int2in, int4in, int8in since PostgreSQL 16: blanks around, a sign, 0x 0o 0b, underscores. */
const integerPattern =
  /^[ \t\n\v\f\r]*([+-]?)(?:(\d+(?:_\d+)*)|(0x(?:_?[0-9a-f])+|0o(?:_?[0-7])+|0b(?:_?[01])+))[ \t\n\v\f\r]*$/i;
const decimalPattern =
  /^[ \t\n\v\f\r]*([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?[ \t\n\v\f\r]*$/i;

export function integerFromText(target: KeyTarget, text: string): KeyReading {
  const keyType = target.keyType as IntegerType;
  if (text.length > digitsMax) return unknownPair(target);
  switch (target.valueType) {
    case 'unknown':
      return fromIntegerText(target, keyType, text);
    case 'int2':
    case 'int4':
    case 'int8':
      return fromIntegerText(target, target.valueType, text);
    case 'numeric':
      return fromDecimal(target, text);
    case 'float4':
    case 'float8':
      return fromDouble(target, decimalPattern.test(text) ? Number(text) : Number.NaN);
    default:
      return unknownPair(target);
  }
}

/** The width tells the type, so that an int4 parameter under a cast to int8 is read right. */
export function integerFromBinary(target: KeyTarget, bytes: Buffer): KeyReading {
  switch (target.valueType) {
    case 'unknown':
    case 'int2':
    case 'int4':
    case 'int8':
      if (bytes.length === 8) return fromInteger(target, bytes.readBigInt64BE());
      if (bytes.length === 4) return fromInteger(target, BigInt(bytes.readInt32BE()));
      if (bytes.length === 2) return fromInteger(target, BigInt(bytes.readInt16BE()));
      return invalidBinary(target);
    case 'float8':
      return bytes.length === 8 ? fromDouble(target, bytes.readDoubleBE()) : invalidBinary(target);
    case 'float4':
      return bytes.length === 4 ? fromDouble(target, bytes.readFloatBE()) : invalidBinary(target);
    case 'numeric': {
      const text = decimalFromBinary(bytes);
      return text === null ? unknownPair(target) : fromDecimal(target, text);
    }
    default:
      return unknownPair(target);
  }
}

function fromIntegerText(target: KeyTarget, type: IntegerType, text: string): KeyReading {
  const value = plainInteger(text) ?? anyInteger(text);
  if (value === null) return invalidSyntax(titles[type], text);
  if (fits(value, type)) return fromInteger(target, value);
  return outOfRange(`value "${text}" is out of range for type ${titles[type]}`);
}

/** The usual case, at a tenth of the price: one to nine digits. null: it must be looked at closely. */
function plainInteger(text: string): bigint | null {
  const { length } = text;
  if (length === 0 || length > 9) return null;
  let value = 0;
  for (let at = 0; at < length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  return BigInt(value);
}

function anyInteger(text: string): bigint | null {
  const match = integerPattern.exec(text);
  if (match === null) return null;
  const [, sign, decimal, prefixed] = match;
  const magnitude = BigInt((decimal ?? prefixed ?? '').replaceAll('_', ''));
  return sign === '-' ? -magnitude : magnitude;
}

/** A comparison goes by the wider type; a value too wide for the key then simply finds nothing. */
function fromInteger(target: KeyTarget, value: bigint): KeyReading {
  const keyType = target.keyType as IntegerType;
  if (target.use === 'assign' && !fits(value, keyType)) {
    return outOfRange(`${titles[keyType]} out of range`);
  }
  return integerKey(value);
}

function fromDecimal(target: KeyTarget, text: string): KeyReading {
  const match = decimalPattern.exec(text);
  if (match === null) return unknownPair(target);
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = whole + fraction;
  if (digits === '') return unknownPair(target);
  const point = whole.length + Number(exponent);
  const integerDigits = digits.slice(0, Math.max(0, point)).padEnd(Math.max(0, point), '0');
  const rest = (point < 0 ? '0'.repeat(-point) : '') + digits.slice(Math.max(0, point));
  const negative = sign === '-';
  const magnitude = BigInt(integerDigits === '' ? '0' : integerDigits);
  if (target.use === 'assign') {
    // numeric rounds half away from zero.
    const rounded = /^[5-9]/.test(rest) ? magnitude + 1n : magnitude;
    return fromInteger(target, negative ? -rounded : rounded);
  }
  if (/[1-9]/.test(rest)) return between(negative ? -magnitude - 1n : magnitude);
  const value = negative ? -magnitude : magnitude;
  return fits(value, 'int8') ? integerKey(value) : beyond(value);
}

function fromDouble(target: KeyTarget, value: number): KeyReading {
  if (target.use === 'assign' || !(Math.abs(value) < exactDoubleMax)) return unknownPair(target);
  return Number.isInteger(value) ? integerKey(BigInt(value)) : between(BigInt(Math.floor(value)));
}

/** No integer equals a value between `floor` and `floor + 1`. */
function between(floor: bigint): KeyReading {
  if (!fits(floor, 'int8') || !fits(floor + 1n, 'int8')) return beyond(floor);
  return {
    kind: 'no-match',
    below: { kind: 'integer', value: floor },
    above: { kind: 'integer', value: floor + 1n },
  };
}

/** No bigint reaches the value. */
function beyond(value: bigint): KeyReading {
  const limit = (extreme: bigint) => ({ kind: 'integer', value: extreme }) as const;
  if (value > 0n) return { kind: 'no-match', below: limit(2n ** 63n - 1n), above: null };
  return { kind: 'no-match', below: null, above: limit(-(2n ** 63n)) };
}

function fits(value: bigint, type: IntegerType): boolean {
  return BigInt.asIntN(bits[type], value) === value;
}

function outOfRange(message: string): KeyReading {
  return { kind: 'invalid', error: new PgError(SqlState.numericValueOutOfRange, message) };
}
