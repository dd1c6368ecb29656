import { characterClass } from './character-class.ts';
import { numberToken } from './number-token.ts';
import { dollarQuoteEnd, stringTokenEnd } from './string-token.ts';

/** They nest to the left, whatever stands between them. */
const chainWords = ['union', 'intersect', 'except', 'join'];
/** Between them a CASE has expressions of their own. */
const branchWords = ['when', 'then', 'else'];
/** A word behind it is a name, even one of the grammar's. */
const point = 0x2e;
const wordLengthMax = 9;

const { isDigit, isIdentifierStart, isIdentifierPart, isSpace } = characterClass;

type Level = {
  readonly opens: 'bracket' | 'case';
  chain: number;
  segment: number;
  betweens: number;
};

/**
 * A bound on how deep the parse tree of a fingerprint can be: tokens since the last separator, plus
 * joins and set operations, summed over the open parentheses and CASEs. The grammar's stack is not
 * ours to grow: a tree that is too deep must never reach it. What is not understood counts as deeper.
 */
export function nestingBound(fingerprint: string): number {
  const counter = new NestingCounter();
  let isBehindPoint = false;
  for (let at = 0; at < fingerprint.length; ) {
    const code = fingerprint.charCodeAt(at);
    const end = tokenEnd(fingerprint, at, code);
    if (!isSpace(code)) {
      const isWord = isIdentifierStart(code) && !isBehindPoint && end - at <= wordLengthMax;
      counter.token(code, isWord ? fingerprint.slice(at, end).toLowerCase() : '');
      isBehindPoint = code === point && end === at + 1;
    }
    at = end;
  }
  return counter.bound;
}

class NestingCounter {
  bound = 0;
  readonly #levels: Level[] = [];
  #level: Level = levelOf('bracket');
  /** Of the levels around this one. */
  #outer = 0;

  token(code: number, word: string): void {
    const level = this.#level;
    if (isOpening(code)) this.#open('bracket');
    else if (isClosing(code)) this.#closeBracket();
    else if (code === 0x2c) level.segment = 0;
    else if (word === 'case') this.#open('case');
    else if (word === 'end' && level.opens === 'case') this.#close();
    else this.#count(word);
    this.bound = Math.max(this.bound, this.#outer + this.#level.chain + this.#level.segment);
  }

  #count(word: string): void {
    const level = this.#level;
    if (chainWords.includes(word)) level.chain += 1;
    if (word === 'between') level.betweens += 1;
    if (word === 'and' && level.betweens > 0) {
      // It belongs to the BETWEEN, in whose second bound anything can stand.
      level.betweens -= 1;
      level.segment += 1;
    } else if (this.#separates(word)) level.segment = 0;
    else level.segment += 1;
  }

  #separates(word: string): boolean {
    if (word === 'and' || word === 'or') return true;
    return this.#level.opens === 'case' && branchWords.includes(word);
  }

  #open(opens: Level['opens']): void {
    const level = this.#level;
    this.#outer += level.chain + level.segment + 1;
    this.#levels.push(level);
    this.#level = levelOf(opens);
  }

  /** A CASE that nobody ended was a name. */
  #closeBracket(): void {
    while (this.#level.opens === 'case') this.#close();
    this.#close();
  }

  #close(): void {
    const level = this.#levels.pop() ?? levelOf('bracket');
    this.#level = level;
    this.#outer = Math.max(0, this.#outer - level.chain - level.segment - 1);
    // The whole of what was closed is one operand.
    level.segment += 1;
  }
}

function levelOf(opens: Level['opens']): Level {
  return { opens, chain: 0, segment: 0, betweens: 0 };
}

function isOpening(code: number): boolean {
  return code === 0x28 || code === 0x5b;
}

function isClosing(code: number): boolean {
  return code === 0x29 || code === 0x5d;
}

/** Of the token as the lexer cuts it: else a quote that is none would hide what follows. */
function tokenEnd(text: string, at: number, code: number): number {
  // A mark and its letter, which nothing else may join.
  if (code < 0x04) return at + 2;
  if (code === 0x27) return stringTokenEnd(text, at, false);
  if (code === 0x24) return Math.max(at + 1, dollarQuoteEnd(text, at));
  if (code === 0x22) {
    const close = text.indexOf('"', at + 1);
    return close === -1 ? text.length : close + 1;
  }
  if ((code | 0x20) === 0x65 && text.charCodeAt(at + 1) === 0x27) {
    return stringTokenEnd(text, at + 1, true);
  }
  if (isDigit(code) || (code === point && isDigit(text.charCodeAt(at + 1)))) {
    return numberToken(text, at).end;
  }
  if (!isIdentifierStart(code)) return at + 1;
  let end = at + 1;
  while (isIdentifierPart(text.charCodeAt(end))) end += 1;
  return end;
}
