import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { bytesKey, type KeyReading, type KeyTarget, unknownPair } from './key-reading.ts';

/** Hex format `\x0102` (white space between pairs) or escape format `a\001\\`, as bytea_in. */
export function byteaFromText(target: KeyTarget, text: string): KeyReading {
  if (!isBytea(target)) return unknownPair(target);
  const bytes = text.startsWith('\\x') ? fromHex(text.slice(2)) : fromEscapes(text);
  if (bytes !== null) return bytesKey(bytes);
  const error = new PgError(
    SqlState.invalidTextRepresentation,
    'invalid input syntax for type bytea',
  );
  return { kind: 'invalid', error };
}

export function byteaFromBinary(target: KeyTarget, bytes: Buffer): KeyReading {
  return isBytea(target) ? bytesKey(bytes) : unknownPair(target);
}

function isBytea(target: KeyTarget): boolean {
  return target.valueType === 'unknown' || target.valueType === 'bytea';
}

function fromHex(text: string): Buffer | null {
  if (!/^(?:[ \t\n\r]*[0-9a-f]{2})*[ \t\n\r]*$/i.test(text)) return null;
  return Buffer.from(text.replace(/[ \t\n\r]/g, ''), 'hex');
}

function fromEscapes(text: string): Buffer | null {
  const pieces: Buffer[] = [];
  const token = /\\\\|\\([0-3][0-7]{2})|[^\\]+/gy;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    if (match === null) return null;
    if (match[1] !== undefined) pieces.push(Buffer.from([Number.parseInt(match[1], 8)]));
    else pieces.push(Buffer.from(match[0] === '\\\\' ? '\\' : match[0], 'utf8'));
  }
  return Buffer.concat(pieces);
}
