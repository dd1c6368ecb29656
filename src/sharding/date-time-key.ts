import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import {
  dayNumber,
  infiniteDate,
  infiniteTimestamp,
  microsecondsPerDay,
  minusInfiniteDate,
  minusInfiniteTimestamp,
} from './calendar.ts';
import { localMicroseconds, parseIsoDateTime } from './iso-date-time.ts';
import {
  integerKey,
  invalidBinary,
  type KeyReading,
  type KeyTarget,
  unknownPair,
} from './key-reading.ts';

type DateTimeType = 'date' | 'timestamp' | 'timestamptz';

/** First and last day that the types hold: 4714-11-24 BC, 5874897-12-31; timestamps end sooner. */
const firstDay = BigInt(dayNumber({ year: -4713, month: 11, day: 24 }));
const lastDay = BigInt(dayNumber({ year: 5_874_897, month: 12, day: 31 }));
const firstTimestamp = firstDay * microsecondsPerDay;
const endTimestamp = BigInt(dayNumber({ year: 294_277, month: 1, day: 1 })) * microsecondsPerDay;

/** Session time zones in which a local time is UTC, in lower case. */
const utcNames = ['utc', 'etc/utc', 'gmt', 'etc/gmt', 'uct', 'etc/uct', 'zulu', 'etc/zulu'];

export function dateTimeFromText(
  target: KeyTarget,
  text: string,
  timeZone: string | null,
): KeyReading {
  const type = valueTypeOf(target);
  if (type === null) return unknownPair(target);
  const reading = parseIsoDateTime(text);
  switch (reading.kind) {
    case 'other':
      return unknownSpelling(type, text);
    case 'invalid':
      return reading;
    case 'infinity':
      return convert(target, type, infinite(type, reading.negative), timeZone);
    case 'finite': {
      if (type === 'date') {
        const day = BigInt(reading.day);
        if (day < firstDay || day > lastDay) return outOfRange(type, text);
        return convert(target, type, day, timeZone);
      }
      let value = localMicroseconds(reading);
      if (type === 'timestamptz') {
        if (reading.zoneOffset === null && !isUtc(timeZone)) return unknownZone(text);
        value -= reading.zoneOffset ?? 0n;
      }
      if (value < firstTimestamp || value >= endTimestamp) return outOfRange(type, text);
      return convert(target, type, value, timeZone);
    }
  }
}

/** date: 4 bytes of days; timestamps: 8 bytes of microseconds. */
export function dateTimeFromBinary(
  target: KeyTarget,
  bytes: Buffer,
  timeZone: string | null,
): KeyReading {
  const type = valueTypeOf(target);
  if (type === null) return unknownPair(target);
  if (bytes.length !== (type === 'date' ? 4 : 8)) return invalidBinary(target);
  const value = type === 'date' ? BigInt(bytes.readInt32BE()) : bytes.readBigInt64BE();
  return convert(target, type, value, timeZone);
}

function valueTypeOf(target: KeyTarget): DateTimeType | null {
  switch (target.valueType) {
    case 'unknown':
      return target.keyType as DateTimeType;
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return target.valueType;
    default:
      return null;
  }
}

/**
 * Between date and timestamp a date is its midnight; where timestamptz meets one of the others the
 * session's time zone decides, so only UTC is understood. Assigned to a date, the time is cut off.
 */
function convert(
  target: KeyTarget,
  from: DateTimeType,
  value: bigint,
  timeZone: string | null,
): KeyReading {
  const to = target.keyType as DateTimeType;
  if (from === to) return integerKey(value);
  if ((from === 'timestamptz' || to === 'timestamptz') && !isUtc(timeZone)) {
    return unknownZone(`a value of type ${from} for a key of type ${to}`);
  }
  if (from === 'date') return dateToTimestamp(value, target);
  return to === 'date' ? timestampToDate(value, target) : integerKey(value);
}

function dateToTimestamp(day: bigint, target: KeyTarget): KeyReading {
  if (day === infiniteDate) return integerKey(infiniteTimestamp);
  if (day === minusInfiniteDate) return integerKey(minusInfiniteTimestamp);
  const value = day * microsecondsPerDay;
  // A comparison still knows that such a date is later than every timestamp; it is hardly worth it.
  return value < endTimestamp ? integerKey(value) : unknownPair(target);
}

function timestampToDate(value: bigint, target: KeyTarget): KeyReading {
  if (value === infiniteTimestamp) return integerKey(infiniteDate);
  if (value === minusInfiniteTimestamp) return integerKey(minusInfiniteDate);
  const midnightOffset = ((value % microsecondsPerDay) + microsecondsPerDay) % microsecondsPerDay;
  const day = (value - midnightOffset) / microsecondsPerDay;
  if (midnightOffset === 0n || target.use === 'assign') return integerKey(day);
  return {
    kind: 'no-match',
    below: { kind: 'integer', value: day },
    above: { kind: 'integer', value: day + 1n },
  };
}

function infinite(type: DateTimeType, negative: boolean): bigint {
  if (type === 'date') return negative ? minusInfiniteDate : infiniteDate;
  return negative ? minusInfiniteTimestamp : infiniteTimestamp;
}

function isUtc(timeZone: string | null): boolean {
  return timeZone !== null && utcNames.includes(timeZone.toLowerCase());
}

function unknownSpelling(type: DateTimeType, text: string): KeyReading {
  const error = new PgError(
    SqlState.featureNotSupported,
    `a ${type} key must be written in ISO format, not as "${text}"`,
    { hint: 'Write it like 2024-01-05 or 2024-01-05 17:30:00+00.' },
  );
  return { kind: 'unknown', error };
}

function unknownZone(what: string): KeyReading {
  const error = new PgError(
    SqlState.featureNotSupported,
    `the session's time zone decides the key: ${what}`,
    { hint: 'Write the offset from UTC, like 2024-01-05 17:30:00+00, or set TimeZone to UTC.' },
  );
  return { kind: 'unknown', error };
}

function outOfRange(type: DateTimeType, text: string): KeyReading {
  const name = type === 'date' ? 'date' : 'timestamp';
  const message = `${name} out of range: "${text}"`;
  return { kind: 'invalid', error: new PgError(SqlState.datetimeFieldOverflow, message) };
}
