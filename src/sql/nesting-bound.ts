import { characterClass } from './character-class.ts';
import { dollarQuoteEnd, stringTokenEnd } from './string-token.ts';

/** They nest to the left, whatever stands between them. */
const chainWords = ['union', 'intersect', 'except', 'join'];

const { isIdentifierStart, isIdentifierPart, isSpace } = characterClass;

/**
 * A bound on how deep the parse tree of a fingerprint can be: tokens since the last separator, plus
 * joins and set operations, summed over the open parentheses. The grammar's stack is not ours to
 * grow: a tree that is too deep must never reach it.
 */
export function nestingBound(fingerprint: string): number {
  const levels: number[] = [];
  let chain = 0;
  let segment = 0;
  let outer = 0;
  let bound = 0;
  for (let at = 0; at < fingerprint.length; ) {
    const code = fingerprint.charCodeAt(at);
    const end = tokenEnd(fingerprint, at, code);
    if (isOpening(code)) {
      levels.push(chain, segment);
      outer += chain + segment + 1;
      chain = 0;
      segment = 0;
    } else if (isClosing(code)) {
      segment = levels.pop() ?? 0;
      chain = levels.pop() ?? 0;
      outer = Math.max(0, outer - chain - segment - 1);
    } else if (code === 0x2c) segment = 0;
    else if (isIdentifierStart(code)) {
      const word = end - at < 10 ? fingerprint.slice(at, end).toLowerCase() : '';
      if (chainWords.includes(word)) chain += 1;
      segment = word === 'and' || word === 'or' ? 0 : segment + 1;
    } else if (!isSpace(code)) segment += 1;
    bound = Math.max(bound, outer + chain + segment);
    at = end;
  }
  return bound;
}

function isOpening(code: number): boolean {
  return code === 0x28 || code === 0x5b;
}

function isClosing(code: number): boolean {
  return code === 0x29 || code === 0x5d;
}

function tokenEnd(text: string, at: number, code: number): number {
  if (code === 0x27) return stringTokenEnd(text, at, false);
  if (code === 0x24) return Math.max(at + 1, dollarQuoteEnd(text, at));
  if (code === 0x22) {
    const close = text.indexOf('"', at + 1);
    return close === -1 ? text.length : close + 1;
  }
  if (!isIdentifierPart(code)) return at + 1;
  let end = at + 1;
  while (isIdentifierPart(text.charCodeAt(end)) && text.charCodeAt(end) !== 0x24) end += 1;
  return end;
}
