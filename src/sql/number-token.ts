import { characterClass } from './character-class.ts';
import type { Literal } from './lexed-statement.ts';

const { isDigit, isIdentifierStart } = characterClass;
const underscore = 0x5f;
const point = 0x2e;
const int4Max = 2_147_483_647;
const int8Max = 9_223_372_036_854_775_807n;

/** `0b` and 63 digits. */
const int8LengthMax = 65;

const leadingZeros = /^(0[xob])?0*(?=[0-9a-f])/i;
const prefixed = /0(?:x(?:_?[0-9a-f])+|o(?:_?[0-7])+|b(?:_?[01])+)/iy;

export type NumberToken = {
  readonly end: number;
  /** null: letters follow, which a server refuses. */
  readonly kind: Literal['kind'] | null;
};

/** The number that begins at `start`: a digit, or a point with a digit behind it (manual, 4.1.2.6). */
export function numberToken(text: string, start: number): NumberToken {
  prefixed.lastIndex = start;
  if (text.charCodeAt(start) === 0x30 && prefixed.test(text)) {
    return finish(text, start, prefixed.lastIndex, true);
  }
  let end = digitsEnd(text, start);
  let integer = end > start;
  // `1..10` is an integer and a range of PL/pgSQL, not `1.` and `.10`.
  if (text.charCodeAt(end) === point && text.charCodeAt(end + 1) !== point) {
    integer = false;
    end = digitsEnd(text, end + 1);
  }
  const exponentEnd = exponentEndAt(text, end);
  if (exponentEnd !== -1) {
    integer = false;
    end = exponentEnd;
  }
  return finish(text, start, end, integer);
}

function finish(text: string, start: number, end: number, integer: boolean): NumberToken {
  const next = text.charCodeAt(end);
  if (isIdentifierStart(next) || isDigit(next)) return { end: junkEnd(text, end), kind: null };
  return { end, kind: integer ? integerKind(text.slice(start, end)) : 'numeric' };
}

function integerKind(token: string): Literal['kind'] {
  if (token.length < 10 && !token.includes('_')) return 'int4';
  const digits = token.replaceAll('_', '').replace(leadingZeros, '$1');
  // To read a million digits takes its time, and they are too many anyhow.
  if (digits.length > int8LengthMax) return 'numeric';
  const value = BigInt(digits);
  if (value <= int4Max) return 'int4';
  return value <= int8Max ? 'int8' : 'numeric';
}

function digitsEnd(text: string, from: number): number {
  let at = from;
  while (
    isDigit(text.charCodeAt(at)) ||
    (text.charCodeAt(at) === underscore && at > from && isDigit(text.charCodeAt(at + 1)))
  ) {
    at += 1;
  }
  return at;
}

function exponentEndAt(text: string, at: number): number {
  if ((text.charCodeAt(at) | 0x20) !== 0x65) return -1;
  const sign = text.charCodeAt(at + 1);
  const digits = sign === 0x2b || sign === 0x2d ? at + 2 : at + 1;
  return isDigit(text.charCodeAt(digits)) ? digitsEnd(text, digits) : -1;
}

function junkEnd(text: string, from: number): number {
  let at = from;
  while (characterClass.isIdentifierPart(text.charCodeAt(at))) at += 1;
  return at;
}
