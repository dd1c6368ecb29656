import { assert } from '../base/assert.ts';
import { continuationStart } from './string-token.ts';

const simpleEscapes: { readonly [letter: string]: string } = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * The value of a literal token that the lexer cut out: the contents of a string, a number as it is
 * written. null when only a server can tell (bytes that are not UTF-8, a bad escape).
 */
export function literalValue(token: string, standardConformingStrings: boolean): string | null {
  const first = token.charCodeAt(0);
  if (first === 0x27) return quotedValue(token, 0, !standardConformingStrings);
  if (first === 0x24) return dollarQuotedValue(token);
  if ((first | 0x20) === 0x65 && token.charCodeAt(1) === 0x27) return quotedValue(token, 1, true);
  return token;
}

function dollarQuotedValue(token: string): string | null {
  const tagLength = token.indexOf('$', 1) + 1;
  const tag = token.slice(0, tagLength);
  if (token.length < 2 * tagLength || !token.endsWith(tag)) return null;
  return token.slice(tagLength, token.length - tagLength);
}

/** Characters of a literal whose escapes are worth the time. */
const escapedLengthMax = 1_000_000;

/** All pieces of a string that continues over lines, joined. */
function quotedValue(token: string, open: number, escapes: boolean): string | null {
  // Nearly every literal: one piece, nothing to undo.
  const close = token.indexOf("'", open + 1);
  if (close === token.length - 1 && !(escapes && token.includes('\\'))) {
    return token.slice(open + 1, close);
  }
  if (escapes && token.length > escapedLengthMax) return null;
  let value = '';
  let from = open + 1;
  for (let at = from; at < token.length; at += 1) {
    const letter = token[at];
    if (letter === '\\' && escapes) at += 1;
    else if (letter === "'" && token[at + 1] === "'") {
      value += pieceValue(token.slice(from, at + 1), escapes) ?? '';
      at += 1;
      from = at + 1;
    } else if (letter === "'") {
      const piece = pieceValue(token.slice(from, at), escapes);
      const next = continuationStart(token, at + 1);
      if (piece === null || next === -1) return piece === null ? null : value + piece;
      value += piece;
      at = next;
      from = next + 1;
    }
  }
  return null;
}

/** Undoes the escapes of E'' (manual, 4.1.2.2). */
function pieceValue(piece: string, escapes: boolean): string | null {
  if (!escapes || !piece.includes('\\')) return piece;
  let known = true;
  const pattern =
    /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gsu;
  const value = piece.replace(pattern, (_, octal, hex, short, long, other) => {
    const code = escapedCode({ octal, hex, long: short ?? long });
    if (code === 'unknown') known = false;
    if (code !== 'other') return code === 'unknown' ? '' : String.fromCodePoint(code);
    assert(typeof other === 'string', 'an escape without a letter');
    if (other === 'u' || other === 'U') known = false;
    return simpleEscapes[other] ?? other;
  });
  return known ? value : null;
}

function escapedCode(digits: {
  readonly octal: string | undefined;
  readonly hex: string | undefined;
  readonly long: string | undefined;
}): number | 'other' | 'unknown' {
  if (digits.long !== undefined) {
    const code = Number.parseInt(digits.long, 16);
    // Halves of surrogate pairs join only on a server.
    const valid = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    return valid ? code : 'unknown';
  }
  if (digits.octal === undefined && digits.hex === undefined) return 'other';
  const byte = Number.parseInt(
    digits.octal ?? digits.hex ?? '',
    digits.octal === undefined ? 16 : 8,
  );
  // Single bytes beyond ASCII make characters only together.
  return byte > 0 && byte < 0x80 ? byte : 'unknown';
}
