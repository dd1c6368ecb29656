import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { bytesKey, type KeyReading, type KeyTarget, unknownPair } from './key-reading.ts';

/** More text than this is no key that anybody would index, and not worth the time. */
const textMax = 65_536;

/** Hex format `\x0102` (white space between pairs) or escape format `a\001\\`, as bytea_in. */
export function byteaFromText(target: KeyTarget, text: string): KeyReading {
  if (!isBytea(target) || text.length > textMax) return unknownPair(target);
  return text.startsWith('\\x') ? fromHex(text.slice(2)) : fromEscapes(text);
}

export function byteaFromBinary(target: KeyTarget, bytes: Buffer): KeyReading {
  return isBytea(target) ? bytesKey(bytes) : unknownPair(target);
}

function isBytea(target: KeyTarget): boolean {
  return target.valueType === 'unknown' || target.valueType === 'bytea';
}

function fromHex(text: string): KeyReading {
  if (/^(?:[ \t\n\r]*[0-9a-f]{2})*[ \t\n\r]*$/i.test(text)) {
    return bytesKey(Buffer.from(text.replace(/[ \t\n\r]/g, ''), 'hex'));
  }
  // What is left after the good pairs: one digit, or a digit that is none.
  const rest = text.replace(/^(?:[ \t\n\r]*[0-9a-f]{2})*[ \t\n\r]*[0-9a-f]?/i, '');
  const [digit] = rest;
  const message =
    digit === undefined
      ? 'invalid hexadecimal data: odd number of digits'
      : `invalid hexadecimal digit: "${digit}"`;
  return { kind: 'invalid', error: new PgError(SqlState.invalidParameterValue, message) };
}

function fromEscapes(text: string): KeyReading {
  const pieces: Buffer[] = [];
  const token = /\\\\|\\([0-3][0-7]{2})|[^\\]+/gy;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    if (match === null) return invalidEscape();
    if (match[1] !== undefined) pieces.push(Buffer.from([Number.parseInt(match[1], 8)]));
    else pieces.push(Buffer.from(match[0] === '\\\\' ? '\\' : match[0], 'utf8'));
  }
  return bytesKey(Buffer.concat(pieces));
}

function invalidEscape(): KeyReading {
  const message = 'invalid input syntax for type bytea';
  return { kind: 'invalid', error: new PgError(SqlState.invalidTextRepresentation, message) };
}
