import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { dayNumber, daysInMonth, microsecondsPerDay } from './calendar.ts';

/** What a date or timestamp in ISO format says; which parts count depends on the type. */
export type IsoDateTime =
  | { readonly kind: 'infinity'; readonly negative: boolean }
  | {
      readonly kind: 'finite';
      /** Days since 2000-01-01. */
      readonly day: number;
      /** Microseconds since midnight; a whole day when the fraction of a second rounds up. */
      readonly microseconds: bigint;
      /** Microseconds east of UTC; null when the text names none. */
      readonly zoneOffset: bigint | null;
    }
  /** Not in ISO format: what it means is the server's business. */
  | { readonly kind: 'other' }
  | { readonly kind: 'invalid'; readonly error: PgError };

const infinityPattern = /^\s*([+-]?)infinity\s*$/i;
const datePattern = String.raw`(\d{3,7})-(\d{1,2})-(\d{1,2})|(\d{4})(\d{2})(\d{2})`;
const timePattern = String.raw`(?:T|\s+)(\d{1,2}):(\d{1,2})(?::(\d{1,2})(\.\d*)?)?`;
// Without a time the zone needs a blank before it, or it would read as a fourth date field.
const zonePattern = String.raw`Z|([+-])(\d{2})(?::?(\d{2})(?::(\d{2}))?)?`;
const pattern = new RegExp(
  String.raw`^\s*(?:${datePattern})(?:${timePattern}\s*(?:${zonePattern})?|\s+(?:${zonePattern}))?\s*(BC|AD)?\s*$`,
  'i',
);
const zoneHoursMax = 15;
/** Bounds the time that the patterns take on hostile text. */
const textMax = 128;

/**
 * Reads ISO 8601 dates and timestamps the way date_in and timestamp_in do whatever DateStyle is:
 * year first, optional time, numeric zone or Z, BC. `text` is read whole or not at all.
 */
export function parseIsoDateTime(text: string): IsoDateTime {
  if (text.length > textMax) return { kind: 'other' };
  const infinity = infinityPattern.exec(text);
  if (infinity !== null) return { kind: 'infinity', negative: infinity[1] === '-' };
  const match = pattern.exec(text);
  if (match === null) return { kind: 'other' };
  const field = (index: number) => Number(match[index] ?? 0);
  const writtenYear = field(match[1] === undefined ? 4 : 1);
  const month = field(match[2] === undefined ? 5 : 2);
  const day = field(match[3] === undefined ? 6 : 3);
  const [hours, minutes, seconds] = [field(7), field(8), field(9)];
  const zoneAt = match[11] === undefined ? 15 : 11;
  const [zoneHours, zoneMinutes, zoneSeconds] = [
    field(zoneAt + 1),
    field(zoneAt + 2),
    field(zoneAt + 3),
  ];
  // 24:00:00 and a leap second are fine for some types, odd zones for none: left to the server.
  const isOddZone = zoneHours > zoneHoursMax || zoneMinutes > 59 || zoneSeconds > 59;
  if (hours === 24 || seconds === 60 || isOddZone) return { kind: 'other' };
  const year = match[19]?.toUpperCase() === 'BC' ? 1 - writtenYear : writtenYear;
  const isValid =
    writtenYear > 0 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysInMonth(year, month) &&
    hours < 24 &&
    minutes < 60 &&
    seconds < 60;
  if (!isValid) return { kind: 'invalid', error: fieldOverflow(text) };
  const sign = match[zoneAt] === '-' ? -1n : 1n;
  const hasZone = match[zoneAt] !== undefined || /Z\s*(?:BC|AD)?\s*$/i.test(text);
  return {
    kind: 'finite',
    day: dayNumber({ year, month, day }),
    microseconds: clock(hours, minutes, seconds) + fraction(match[10]),
    zoneOffset: hasZone ? sign * clock(zoneHours, zoneMinutes, zoneSeconds) : null,
  };
}

export function fieldOverflow(text: string): PgError {
  const message = `date/time field value out of range: "${text}"`;
  return new PgError(SqlState.datetimeFieldOverflow, message);
}

/** Microseconds since 2000-01-01 00:00 of a finite reading, its zone left out. */
export function localMicroseconds(reading: {
  readonly day: number;
  readonly microseconds: bigint;
}): bigint {
  return BigInt(reading.day) * microsecondsPerDay + reading.microseconds;
}

function clock(hours: number, minutes: number, seconds: number): bigint {
  return BigInt((hours * 60 + minutes) * 60 + seconds) * 1_000_000n;
}

/** PostgreSQL reads the fraction as a double and rounds half to even. */
function fraction(text: string | undefined): bigint {
  if (text === undefined || text === '.') return 0n;
  const scaled = Number(`0${text}`) * 1_000_000;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  return BigInt(rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor);
}
