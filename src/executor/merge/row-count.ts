import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { TypeOid } from '../../protocol/type-oid.ts';
import { literalValue } from '../../sql/literal-value.ts';
import type { ValueRef } from '../../sql/statement.ts';
import type { MultiShardSelect } from '../select/multi-shard-select.ts';
import { decodeNumeric } from './numeric.ts';

export type RowRange = {
  readonly offset: number;
  /** Infinity: no limit. */
  readonly count: number;
};

type Values = Pick<MultiShardSelect, 'literalText' | 'parameters'>;

const int8Max = 2n ** 63n - 1n;

/**
 * What LIMIT and OFFSET say for this run, coerced to bigint as PostgreSQL does; NULL is no limit
 * and no offset. 2201X and 2201W for negative ones (OFFSET is looked at first, as PostgreSQL does).
 */
export function rowRange(
  limit: { readonly count: ValueRef | null; readonly offset: ValueRef | null },
  values: Values,
): RowRange {
  const offset = rowCount(limit.offset, values) ?? 0n;
  if (offset < 0n) {
    throw new PgError(SqlState.invalidRowCountInOffset, 'OFFSET must not be negative');
  }
  const count = rowCount(limit.count, values);
  if (count !== null && count < 0n) {
    throw new PgError(SqlState.invalidRowCountInLimit, 'LIMIT must not be negative');
  }
  // Beyond 2^53 rows the rounding of Number decides nothing that anybody could wait for.
  return { offset: Number(offset), count: count === null ? Infinity : Number(count) };
}

function rowCount(ref: ValueRef | null, values: Values): bigint | null {
  if (ref === null) return null;
  if (ref.kind === 'literal') {
    const token = values.literalText(ref.slot);
    // A token that only a server can read is no number; backslashes make no difference to that.
    return parseCount(literalValue(token, true) ?? token);
  }
  const { typeOids, formats, values: bound } = values.parameters;
  const value = bound[ref.index] ?? null;
  if (value === null) return null;
  const typeOid = typeOids[ref.index] ?? 0;
  // They round to even.
  if (typeOid === TypeOid.float4 || typeOid === TypeOid.float8) {
    throw new PgError(
      SqlState.featureNotSupported,
      'LIMIT and OFFSET in floating point are not supported across shards',
      { hint: 'Send them as bigint.' },
    );
  }
  return formats[ref.index] === 1
    ? binaryCount(value, typeOid)
    : parseCount(value.toString('utf8'));
}

/** The parameter of a LIMIT that the client left untyped is a bigint. */
function binaryCount(value: Buffer, typeOid: number): bigint {
  const is = (oid: number, size: number) => typeOid === oid && value.length === size;
  if (is(0, 8) || is(TypeOid.int8, 8)) return value.readBigInt64BE(0);
  if (is(TypeOid.int4, 4)) return BigInt(value.readInt32BE(0));
  if (is(TypeOid.int2, 2)) return BigInt(value.readInt16BE(0));
  if (typeOid === TypeOid.numeric) {
    const numeric = decodeNumeric(value, 0, value.length);
    if (numeric.kind === 'finite') return inRange(rounded(numeric.unscaled, numeric.scale));
  }
  throw new PgError(
    SqlState.invalidBinaryRepresentation,
    'incorrect binary data format in a LIMIT or OFFSET parameter',
    { hint: 'Send it as bigint, or in text format.' },
  );
}

/** An integer as int8in reads it, or a decimal as the cast from numeric rounds it. */
function parseCount(text: string): bigint {
  const trimmed = text.trim().replaceAll(/(?<=[0-9a-f])_(?=[0-9a-f])/gi, '');
  const based = /^([+-]?)(0x[0-9a-f]+|0o[0-7]+|0b[01]+)$/i.exec(trimmed);
  if (based !== null) {
    const magnitude = BigInt(based[2] ?? '0');
    return inRange(based[1] === '-' ? -magnitude : magnitude);
  }
  const decimal = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i.exec(trimmed);
  const [, sign, whole = '', fraction = '', exponent = '0'] = decimal ?? [];
  if (decimal === null || whole + fraction === '') {
    throw new PgError(
      SqlState.invalidTextRepresentation,
      `invalid input syntax for type bigint: "${text}"`,
    );
  }
  const unscaled = BigInt(`${sign === '-' ? '-' : ''}${whole}${fraction}`);
  return inRange(rounded(unscaled, fraction.length - Number(exponent)));
}

/** Half away from zero. */
function rounded(unscaled: bigint, scale: number): bigint {
  if (scale <= 0) return unscaled * 10n ** BigInt(-scale);
  const unit = 10n ** BigInt(scale);
  const half = unscaled < 0n ? -unit / 2n : unit / 2n;
  return (unscaled + half) / unit;
}

function inRange(value: bigint): bigint {
  if (value > int8Max || value < -int8Max - 1n) {
    throw new PgError(SqlState.numericValueOutOfRange, 'bigint out of range');
  }
  return value;
}
