import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { TypeOid } from '../../protocol/type-oid.ts';
import type { ResultColumn } from './result-column.ts';

/**
 * Values whose text depends on settings (DateStyle, extra_float_digits) and may say less than they
 * are are asked for in binary, and get here the text that any server reads as exactly the same value,
 * whatever its settings: dates as in ISO 8601, with the year first.
 */

/** The text of a value of `length` bytes at `start`. Throws 08P01. */
export type ValueReader = (bytes: Buffer, start: number, length: number) => string;

const readers: ReadonlyMap<number, ValueReader> = new Map([
  [TypeOid.date, sized(4, (bytes, start) => dateText(bytes.readInt32BE(start)))],
  [TypeOid.timestamp, sized(8, (bytes, start) => timestampText(bytes, start, ''))],
  [TypeOid.timestamptz, sized(8, (bytes, start) => timestampText(bytes, start, '+00'))],
  [TypeOid.float4, sized(4, (bytes, start) => floatText(bytes.readFloatBE(start)))],
  [TypeOid.float8, sized(8, (bytes, start) => floatText(bytes.readDoubleBE(start)))],
]);

/** For each column; null: its text is taken as a server writes it. */
export function valueReaders(
  columns: readonly Pick<ResultColumn, 'typeOid'>[],
): readonly (ValueReader | null)[] {
  return columns.map(({ typeOid }) => readers.get(typeOid) ?? null);
}

/** As in Bind. */
export function formatsToRead(
  columns: readonly Pick<ResultColumn, 'typeOid'>[],
): readonly number[] {
  const formats = columns.map(({ typeOid }) => (readers.has(typeOid) ? 1 : 0));
  return formats.includes(1) ? formats : [];
}

function sized(size: number, read: (bytes: Buffer, start: number) => string): ValueReader {
  return (bytes, start, length) => {
    if (length === size) return read(bytes, start);
    throw new PgError(SqlState.protocolViolation, `a binary value of ${length} bytes, not ${size}`);
  };
}

/** Days from 1970-01-01, where civil time begins, to 2000-01-01, where PostgreSQL's does. */
const epochDays = 10_957;
const microsecondsPerDay = 86_400_000_000;
const dateInfinity = 2 ** 31 - 1;
const timestampInfinity = 2n ** 63n - 1n;

function dateText(days: number): string {
  if (days === dateInfinity) return 'infinity';
  if (days === -dateInfinity - 1) return '-infinity';
  return withTime(days, '');
}

/** Microseconds since 2000-01-01, of UTC if there is a zone. */
function timestampText(bytes: Buffer, start: number, zone: string): string {
  const high = bytes.readInt32BE(start);
  // Up to the year 2285 a number is exact.
  if (Math.abs(high) < 2 ** 21) {
    const microseconds = high * 2 ** 32 + bytes.readUInt32BE(start + 4);
    const days = Math.floor(microseconds / microsecondsPerDay);
    return withTime(days, timeText(microseconds - days * microsecondsPerDay) + zone);
  }
  const microseconds = bytes.readBigInt64BE(start);
  if (microseconds === timestampInfinity) return 'infinity';
  if (microseconds === -timestampInfinity - 1n) return '-infinity';
  const perDay = BigInt(microsecondsPerDay);
  const ofDay = ((microseconds % perDay) + perDay) % perDay;
  const days = Number((microseconds - ofDay) / perDay);
  return withTime(days, timeText(Number(ofDay)) + zone);
}

/** The year before 1 is 1 BC. */
function withTime(days: number, time: string): string {
  const { year, month, day } = civilDate(days + epochDays);
  const shown = year > 0 ? year : 1 - year;
  const date = `${String(shown).padStart(4, '0')}-${two(month)}-${two(day)}`;
  return `${date}${time}${year > 0 ? '' : ' BC'}`;
}

/** With a blank in front. */
function timeText(microseconds: number): string {
  const seconds = Math.floor(microseconds / 1_000_000);
  const fraction = microseconds - seconds * 1_000_000;
  const minutes = Math.floor(seconds / 60);
  const time = ` ${two(Math.floor(minutes / 60))}:${two(minutes % 60)}:${two(seconds % 60)}`;
  return fraction === 0 ? time : `${time}.${String(fraction).padStart(6, '0')}`;
}

function two(number: number): string {
  return number < 10 ? `0${number}` : String(number);
}

const yearsPerEra = 400;
const daysPerEra = 146_097;

/**
 * The Gregorian date of a number of days since 1970-01-01, before it as well: years are counted from
 * March, so that leap days come last, and in eras of 400 years, which all have equally many days.
 */
function civilDate(daysSince1970: number): {
  readonly year: number;
  readonly month: number;
  readonly day: number;
} {
  const days = daysSince1970 + 719_468;
  const era = Math.floor(days / daysPerEra);
  const dayOfEra = days - era * daysPerEra;
  const leapDays =
    Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const leapsBefore = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  const dayOfYear = dayOfEra - (365 * yearOfEra + leapsBefore);
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return {
    year: yearOfEra + era * yearsPerEra + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
  };
}

/** The decimal that JavaScript finds reads back as the same number, a float4 being one of its own. */
function floatText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
