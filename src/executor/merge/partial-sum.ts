import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { TypeOid } from '../../protocol/type-oid.ts';
import type { Format } from './accumulator.ts';
import { float4Text, float8Text } from './float-text.ts';
import { decodeNumeric, encodeNumeric, type Numeric, numericText } from './numeric.ts';
import { addNumeric, averageNumeric, integerNumeric } from './numeric-arithmetic.ts';

/** Adds the shards' partial sums; all values non-NULL. `null` stands for "nothing added yet". */
export type PartialSum<Value> = {
  readonly typeOid: number;
  /** Reads a binary value and adds it. 22003 when the sum leaves the type's range. */
  add(sum: Value | null, bytes: Buffer, start: number, length: number): Value;
  encode(sum: Value, format: Format): Buffer;
  /** The average's type and its value in it; null when it cannot be made from such sums. */
  readonly average: {
    readonly typeOid: number;
    encode(sum: Value, count: bigint, format: Format): Buffer;
  } | null;
};

const int8Max = 2n ** 63n - 1n;

export const int8Sum: PartialSum<bigint> = {
  typeOid: TypeOid.int8,
  add(sum, bytes, start, length) {
    expectSize(length, 8);
    const total = (sum ?? 0n) + bytes.readBigInt64BE(start);
    if (total > int8Max || total < -int8Max - 1n) {
      throw new PgError(SqlState.numericValueOutOfRange, 'bigint out of range');
    }
    return total;
  },
  encode: encodeInt8,
  average: {
    typeOid: TypeOid.numeric,
    encode: (sum, count, format) =>
      encodeAsNumeric(averageNumeric(integerNumeric(sum), count), format),
  },
};

export const numericSum: PartialSum<Numeric> = {
  typeOid: TypeOid.numeric,
  add(sum, bytes, start, length) {
    const value = decodeNumeric(bytes, start, length);
    return sum === null ? value : addNumeric(sum, value);
  },
  encode: encodeAsNumeric,
  average: {
    typeOid: TypeOid.numeric,
    encode: (sum, count, format) => encodeAsNumeric(averageNumeric(sum, count), format),
  },
};

/** `extraFloatDigits` is the session's setting: it shapes the text. */
export function float8Sum(extraFloatDigits: number): PartialSum<number> {
  const encode = (value: number, format: Format) => encodeFloat8(value, format, extraFloatDigits);
  return {
    typeOid: TypeOid.float8,
    add(sum, bytes, start, length) {
      expectSize(length, 8);
      const value = bytes.readDoubleBE(start);
      return sum === null ? value : finite(sum + value, sum, value);
    },
    encode,
    average: {
      typeOid: TypeOid.float8,
      // avg() begins with 0, to which it adds: unlike a sum, it is never -0.
      encode: (sum, count, format) => encode((sum + 0) / Number(count), format),
    },
  };
}

/** sum(real) is a real, rounded at every step. avg(real) is not made of such sums. */
export function float4Sum(extraFloatDigits: number): PartialSum<number> {
  return {
    typeOid: TypeOid.float4,
    add(sum, bytes, start, length) {
      expectSize(length, 4);
      const value = bytes.readFloatBE(start);
      return sum === null ? value : finite(Math.fround(sum + value), sum, value);
    },
    encode(value, format) {
      if (format === 0) return Buffer.from(float4Text(value, extraFloatDigits));
      const bytes = Buffer.allocUnsafe(4);
      bytes.writeFloatBE(value, 0);
      return bytes;
    },
    average: null,
  };
}

export function encodeInt8(value: bigint, format: Format): Buffer {
  if (format === 0) return Buffer.from(value.toString());
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64BE(value, 0);
  return bytes;
}

function encodeAsNumeric(value: Numeric, format: Format): Buffer {
  return format === 0 ? Buffer.from(numericText(value)) : encodeNumeric(value);
}

function encodeFloat8(value: number, format: Format, extraFloatDigits: number): Buffer {
  if (format === 0) return Buffer.from(float8Text(value, extraFloatDigits));
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleBE(value, 0);
  return bytes;
}

/** PostgreSQL refuses an infinite sum of finite values. */
function finite(total: number, left: number, right: number): number {
  if (!Number.isFinite(total) && Number.isFinite(left) && Number.isFinite(right)) {
    throw new PgError(SqlState.numericValueOutOfRange, 'value out of range: overflow');
  }
  return total;
}

export function expectSize(length: number, size: number): void {
  if (length === size) return;
  throw new PgError(
    SqlState.invalidBinaryRepresentation,
    `a server sent a binary value of ${length} bytes where ${size} were due`,
  );
}
