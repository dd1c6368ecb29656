import { unreachable } from '../base/assert.ts';
import { byteaFromBinary, byteaFromText } from './bytea-key.ts';
import { dateTimeFromBinary, dateTimeFromText } from './date-time-key.ts';
import { integerFromBinary, integerFromText } from './integer-key.ts';
import type { KeyReading, KeyTarget } from './key-reading.ts';
import { textFromText } from './text-key.ts';
import { uuidFromBinary, uuidFromText } from './uuid-key.ts';

const nullReading: KeyReading = { kind: 'null' };

/**
 * Reads a key from a literal or from a parameter in text format (bytes are UTF-8), as the input
 * function of the value's type would, then compares or converts it as PostgreSQL would. Never
 * guesses: see KeyReading. `timeZone` is the session's TimeZone setting, null when not known; only
 * UTC is understood where it matters. The key may be a view of `text`.
 */
export function keyFromText(
  target: KeyTarget,
  text: string | Buffer | null,
  timeZone: string | null = null,
): KeyReading {
  if (text === null) return nullReading;
  switch (target.keyType) {
    case 'text':
    case 'varchar':
    case 'bpchar':
    case 'citext':
      return textFromText(target, typeof text === 'string' ? Buffer.from(text, 'utf8') : text);
    case 'int2':
    case 'int4':
    case 'int8':
      return integerFromText(target, text.toString());
    case 'uuid':
      return uuidFromText(target, text.toString());
    case 'bytea':
      return byteaFromText(target, text.toString());
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return dateTimeFromText(target, text.toString(), timeZone);
    default:
      return unreachable(target.keyType);
  }
}

/**
 * Reads a key from a parameter in binary format of the value's type (of the key's own type when
 * that is `unknown`). Otherwise like keyFromText.
 */
export function keyFromBinary(
  target: KeyTarget,
  bytes: Buffer | null,
  timeZone: string | null = null,
): KeyReading {
  if (bytes === null) return nullReading;
  switch (target.keyType) {
    case 'text':
    case 'varchar':
    case 'bpchar':
    case 'citext':
      return textFromText(target, bytes);
    case 'int2':
    case 'int4':
    case 'int8':
      return integerFromBinary(target, bytes);
    case 'uuid':
      return uuidFromBinary(target, bytes);
    case 'bytea':
      return byteaFromBinary(target, bytes);
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return dateTimeFromBinary(target, bytes, timeZone);
    default:
      return unreachable(target.keyType);
  }
}
