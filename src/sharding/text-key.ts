import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { bytesKey, type KeyReading, type KeyTarget, unknownPair } from './key-reading.ts';

const blank = 0x20;
/** NAMEDATALEN - 1: the type `name` cuts its input there. */
const nameBytesMax = 63;

/**
 * A key of text, varchar, bpchar or citext. Text and binary format are the same bytes. Blanks at
 * the end mean nothing for bpchar, on either side of a comparison.
 */
export function textFromText(target: KeyTarget, bytes: Buffer): KeyReading {
  const { keyType, valueType, use } = target;
  if (keyType === 'citext' && !isAscii(bytes)) return unknownCitext();
  switch (valueType) {
    case 'unknown':
      break;
    case 'text':
    case 'varchar':
    case 'citext':
      break;
    case 'bpchar':
      return bytesKey(withoutTrailingBlanks(bytes));
    case 'name':
      if (bytes.length > nameBytesMax) return unknownPair(target);
      break;
    case 'int2':
    case 'int4':
    case 'int8':
      // Plain decimal text is what the integer prints as; other spellings would need conversion.
      if (use === 'assign' && isPlainInteger(bytes)) break;
      return unknownPair(target);
    default:
      return unknownPair(target);
  }
  if (keyType === 'bpchar') return bpcharKey(target, bytes);
  if (keyType === 'varchar' && use === 'assign' && endsInBlank(bytes)) return unknownLength();
  return bytesKey(bytes);
}

/** `bpchar = text` compares as text, where the blanks of the value count; the others as bpchar. */
function bpcharKey(target: KeyTarget, bytes: Buffer): KeyReading {
  const comparesAsText = target.valueType !== 'unknown' && target.valueType !== 'varchar';
  if (target.use === 'compare' && comparesAsText && endsInBlank(bytes)) return unknownPair(target);
  return bytesKey(withoutTrailingBlanks(bytes));
}

/** The bytes of a bpchar without its padding: a view. */
export function withoutTrailingBlanks(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === blank) end -= 1;
  return end === bytes.length ? bytes : bytes.subarray(0, end);
}

export function isAscii(bytes: Buffer): boolean {
  return bytes.every((byte) => byte < 0x80);
}

function endsInBlank(bytes: Buffer): boolean {
  return bytes[bytes.length - 1] === blank;
}

function isPlainInteger(bytes: Buffer): boolean {
  return /^(?:0|-?[1-9][0-9]*)$/.test(bytes.toString('latin1'));
}

/**
 * citext compares by lower() of the database's collation, folding for placement knows ASCII letters
 * only: equal values with other letters could lie on two shards.
 */
function unknownCitext(): KeyReading {
  const error = new PgError(
    SqlState.featureNotSupported,
    'a citext key with characters other than ASCII cannot be routed',
    { hint: 'Use a key column of type text, in one spelling.' },
  );
  return { kind: 'unknown', error };
}

/** A column with a length cuts blanks beyond it when it stores them, so the stored key may differ. */
function unknownLength(): KeyReading {
  const error = new PgError(
    SqlState.featureNotSupported,
    'a varchar key that ends in blanks cannot be stored through a shard map',
    { hint: 'Remove the blanks, or give the key column the type text.' },
  );
  return { kind: 'unknown', error };
}
