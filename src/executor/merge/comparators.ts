import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { TypeOid } from '../../protocol/type-oid.ts';
import { compareNumeric } from './compare-numeric.ts';
import type { CompareValues } from './compare-values.ts';

export type TypeComparator = {
  readonly compare: CompareValues;
  /** The order depends on a collation; `compare` is right for C only. */
  readonly collatable: boolean;
};

/** null for types whose order cannot be reproduced here. */
export function comparatorForType(typeOid: number): TypeComparator | null {
  return comparators.get(typeOid) ?? null;
}

const compareBytes: CompareValues = (left, leftStart, leftEnd, right, rightStart, rightEnd) =>
  left.compare(right, rightStart, rightEnd, leftStart, leftEnd);

const compareInt16 = fixed(2, (left, leftStart, right, rightStart) =>
  order(left.readInt16BE(leftStart), right.readInt16BE(rightStart)),
);
const compareInt32 = fixed(4, (left, leftStart, right, rightStart) =>
  order(left.readInt32BE(leftStart), right.readInt32BE(rightStart)),
);
const compareInt64 = fixed(8, int64Order);
const compareFloat32 = fixed(4, (left, leftStart, right, rightStart) =>
  floatOrder(left.readFloatBE(leftStart), right.readFloatBE(rightStart)),
);
const compareFloat64 = fixed(8, (left, leftStart, right, rightStart) =>
  floatOrder(left.readDoubleBE(leftStart), right.readDoubleBE(rightStart)),
);

/** Instants in UTC first, then the zone itself (timetz_cmp_internal); zones count west of UTC. */
const compareTimeWithZone = fixed(12, (left, leftStart, right, rightStart) => {
  const leftZone = left.readInt32BE(leftStart + 8);
  const rightZone = right.readInt32BE(rightStart + 8);
  const leftTime = Number(left.readBigInt64BE(leftStart)) + leftZone * 1e6;
  const rightTime = Number(right.readBigInt64BE(rightStart)) + rightZone * 1e6;
  return order(leftTime, rightTime) || order(leftZone, rightZone);
});

const compareInterval = fixed(16, (left, leftStart, right, rightStart) => {
  const leftSpan = intervalSpan(left, leftStart);
  const rightSpan = intervalSpan(right, rightStart);
  return leftSpan < rightSpan ? -1 : leftSpan > rightSpan ? 1 : 0;
});

/** Trailing blanks do not count in character(n). */
const compareBlankPadded: CompareValues = (left, leftStart, leftEnd, right, rightStart, rightEnd) =>
  left.compare(
    right,
    rightStart,
    withoutBlanks(right, rightStart, rightEnd),
    leftStart,
    withoutBlanks(left, leftStart, leftEnd),
  );

const comparators: ReadonlyMap<number, TypeComparator> = new Map([
  [TypeOid.bool, plain(fixed(1, byteOrder))],
  [TypeOid.bytea, plain(compareBytes)],
  [TypeOid.char, plain(fixed(1, byteOrder))],
  [TypeOid.name, collated(compareBytes)],
  [TypeOid.int8, plain(compareInt64)],
  [TypeOid.int2, plain(compareInt16)],
  [TypeOid.int4, plain(compareInt32)],
  [TypeOid.text, collated(compareBytes)],
  [TypeOid.oid, plain(sized(4))],
  [TypeOid.float4, plain(compareFloat32)],
  [TypeOid.float8, plain(compareFloat64)],
  [TypeOid.macaddr8, plain(sized(8))],
  [TypeOid.money, plain(compareInt64)],
  [TypeOid.macaddr, plain(sized(6))],
  [TypeOid.bpchar, collated(compareBlankPadded)],
  [TypeOid.varchar, collated(compareBytes)],
  [TypeOid.date, plain(compareInt32)],
  [TypeOid.time, plain(compareInt64)],
  [TypeOid.timestamp, plain(compareInt64)],
  [TypeOid.timestamptz, plain(compareInt64)],
  [TypeOid.interval, plain(compareInterval)],
  [TypeOid.timetz, plain(compareTimeWithZone)],
  [TypeOid.numeric, plain(compareNumeric)],
  [TypeOid.uuid, plain(sized(16))],
  [TypeOid.pgLsn, plain(sized(8))],
]);

function plain(compare: CompareValues): TypeComparator {
  return { compare, collatable: false };
}

function collated(compare: CompareValues): TypeComparator {
  return { compare, collatable: true };
}

type CompareAt = (left: Buffer, leftStart: number, right: Buffer, rightStart: number) => number;

/** Values of one size; a server that sends another one is not speaking this type. */
function fixed(size: number, compare: CompareAt): CompareValues {
  return (left, leftStart, leftEnd, right, rightStart, rightEnd) => {
    if (leftEnd - leftStart !== size || rightEnd - rightStart !== size) throw malformed(size);
    return compare(left, leftStart, right, rightStart);
  };
}

/** Unsigned, most significant byte first. */
function sized(size: number): CompareValues {
  return fixed(size, (left, leftStart, right, rightStart) =>
    left.compare(right, rightStart, rightStart + size, leftStart, leftStart + size),
  );
}

function order(left: number, right: number): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function byteOrder(left: Buffer, leftStart: number, right: Buffer, rightStart: number): number {
  return left.readUInt8(leftStart) - right.readUInt8(rightStart);
}

function int64Order(left: Buffer, leftStart: number, right: Buffer, rightStart: number): number {
  return (
    order(left.readInt32BE(leftStart), right.readInt32BE(rightStart)) ||
    order(left.readUInt32BE(leftStart + 4), right.readUInt32BE(rightStart + 4))
  );
}

/** NaN equals NaN and is greater than everything else; -0 equals 0. */
function floatOrder(left: number, right: number): number {
  if (Number.isNaN(left)) return Number.isNaN(right) ? 0 : 1;
  return Number.isNaN(right) ? -1 : order(left, right);
}

/** Microseconds, with months of 30 days and days of 24 hours (interval_cmp_value). */
function intervalSpan(bytes: Buffer, start: number): bigint {
  const days = bytes.readInt32BE(start + 8) + bytes.readInt32BE(start + 12) * 30;
  return bytes.readBigInt64BE(start) + BigInt(days) * 86_400_000_000n;
}

function withoutBlanks(bytes: Buffer, start: number, end: number): number {
  let last = end;
  while (last > start && bytes[last - 1] === 0x20) last--;
  return last;
}

function malformed(size: number): PgError {
  return new PgError(
    SqlState.invalidBinaryRepresentation,
    `a server sent a binary value of other than ${size} bytes`,
  );
}
