import { unreachable } from '../base/assert.ts';
import {
  civilDate,
  infiniteDate,
  infiniteTimestamp,
  microsecondsPerDay,
  minusInfiniteDate,
  minusInfiniteTimestamp,
} from './calendar.ts';
import type { Key, KeyType } from './distribution.ts';

/**
 * The key as PostgreSQL prints it (DateStyle ISO, timestamptz in UTC), for people and for SQL
 * literals. Bytes that are not UTF-8 lose their identity in text keys.
 */
export function keyText(keyType: KeyType, key: Key): string {
  if (key.kind === 'bytes') return bytesText(keyType, key.bytes);
  switch (keyType) {
    case 'date':
      return dateText(key.value);
    case 'timestamp':
      return timestampText(key.value, '');
    case 'timestamptz':
      return timestampText(key.value, '+00');
    default:
      return String(key.value);
  }
}

function bytesText(keyType: KeyType, bytes: Buffer): string {
  switch (keyType) {
    case 'uuid':
      return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    case 'bytea':
      return `\\x${bytes.toString('hex')}`;
    default:
      return bytes.toString('utf8');
  }
}

function dateText(day: bigint): string {
  if (day === infiniteDate) return 'infinity';
  if (day === minusInfiniteDate) return '-infinity';
  const { text, era } = dayText(day);
  return text + era;
}

function timestampText(value: bigint, zone: string): string {
  if (value === infiniteTimestamp) return 'infinity';
  if (value === minusInfiniteTimestamp) return '-infinity';
  const microseconds = ((value % microsecondsPerDay) + microsecondsPerDay) % microsecondsPerDay;
  const { text, era } = dayText((value - microseconds) / microsecondsPerDay);
  const seconds = microseconds / 1_000_000n;
  const clock = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
  const fraction = String(microseconds % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return `${text} ${clock}${fraction === '' ? '' : `.${fraction}`}${zone}${era}`;
}

function dayText(day: bigint): { readonly text: string; readonly era: '' | ' BC' } {
  const { year, month, day: dayOfMonth } = civilDate(Number(day));
  const two = (part: number) => String(part).padStart(2, '0');
  const writtenYear = String(year > 0 ? year : 1 - year).padStart(4, '0');
  return {
    text: `${writtenYear}-${two(month)}-${two(dayOfMonth)}`,
    era: year > 0 ? '' : ' BC',
  };
}

/** The key as people read it in a sentence: texts in quotes. */
export function quotedKeyText(keyType: KeyType, key: Key): string {
  switch (keyType) {
    case 'text':
    case 'varchar':
    case 'bpchar':
    case 'citext':
      return `'${keyText(keyType, key)}'`;
    case 'int2':
    case 'int4':
    case 'int8':
    case 'uuid':
    case 'date':
    case 'timestamp':
    case 'timestamptz':
    case 'bytea':
      return keyText(keyType, key);
    default:
      return unreachable(keyType);
  }
}
