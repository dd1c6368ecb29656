import { characterClass } from './character-class.ts';
import type { LexedStatement, Literal } from './lexed-statement.ts';
import { isCutStatement, type LexerWord, lexerWord } from './lexer-word.ts';
import { numberToken } from './number-token.ts';
import { dollarQuoteEnd, lineEnd, stringTokenEnd } from './string-token.ts';

export type LexerOptions = { readonly standardConformingStrings: boolean };

const { isIdentifierStart, isIdentifierPart, isDigit, isSpace } = characterClass;

/** Special input of the date and time types (manual, 8.5.1.4). */
export const clockWord = /^\s*(?:now|today|tomorrow|yesterday)\b/i;

/** Stands in the fingerprint for a literal, with one letter for its kind behind it. */
export const literalMark = '\u0001';

const marks: { readonly [Kind in Literal['kind']]: string } = {
  string: `${literalMark}s`,
  'bit-string': `${literalMark}b`,
  int4: `${literalMark}i`,
  int8: `${literalMark}l`,
  numeric: `${literalMark}n`,
};

/**
 * Stands in the fingerprint before a plain string whose backslashes are escapes, because
 * standard_conforming_strings is off: the grammar here would read it in another way.
 */
export const nonStandardString = '\u0003';

/**
 * Cuts a query string into statements at its top-level semicolons and their literals out of them,
 * by PostgreSQL's lexical rules (manual, 4.1). Empty statements are left out. Never throws: what
 * PostgreSQL would refuse becomes a statement that PostgreSQL will refuse.
 *
 * A mark in the fingerprint is a control character and a letter; control characters of the text are
 * escaped (in quotes they cannot be mistaken), so statements of different meaning never share one.
 * Letters keep their case: folding costs more than a second cache entry for another spelling.
 */
export function lexStatements(text: string, options: LexerOptions): readonly LexedStatement[] {
  const lexer = new Lexer(text, options.standardConformingStrings);
  const statements: LexedStatement[] = [];
  while (lexer.next(statements));
  return statements;
}

class Lexer {
  readonly #text: string;
  readonly #plainEscapes: boolean;
  #at = 0;

  #start = -1;
  #tokenEnd = 0;
  #copyFrom = 0;
  #gap = false;
  #fingerprint = '';
  #literals: Literal[] = [];
  #parameterCount = 0;

  #depth = 0;
  /** Integers at this depth and below it are ordinals or type modifiers; -1: none are. */
  #listDepth = -1;
  #typeDepth = -1;
  #cutting = true;
  #creating = false;
  #atomicDepth = 0;
  #lastWord: LexerWord = 'none';

  constructor(text: string, standardConformingStrings: boolean) {
    this.#text = text;
    this.#plainEscapes = !standardConformingStrings;
  }

  /** Adds the next statement, if there is one before the next semicolon; false at the end. */
  next(statements: LexedStatement[]): boolean {
    this.#reset();
    const text = this.#text;
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at);
      if (isSpace(code)) this.#blanks();
      else if (code === 0x2d && text.charCodeAt(this.#at + 1) === 0x2d) this.#lineComment();
      else if (code === 0x2f && text.charCodeAt(this.#at + 1) === 0x2a) this.#blockComment();
      else if (code === 0x3b && this.#depth <= 0 && this.#atomicDepth === 0) {
        this.#finish(statements);
        this.#at += 1;
        return true;
      } else this.#token(code);
    }
    this.#finish(statements);
    return false;
  }

  #reset(): void {
    this.#start = -1;
    this.#gap = false;
    this.#fingerprint = '';
    this.#literals = [];
    this.#parameterCount = 0;
    this.#depth = 0;
    this.#listDepth = -1;
    this.#typeDepth = -1;
    this.#cutting = true;
    this.#creating = false;
    this.#atomicDepth = 0;
    this.#lastWord = 'none';
  }

  #finish(statements: LexedStatement[]): void {
    if (this.#start === -1) return;
    this.#copyUntil(this.#tokenEnd);
    statements.push({
      start: this.#start,
      end: this.#tokenEnd,
      fingerprint: this.#fingerprint,
      literals: this.#literals,
      parameterCount: this.#parameterCount,
    });
  }

  #copyUntil(end: number): void {
    if (end > this.#copyFrom) this.#fingerprint += this.#text.slice(this.#copyFrom, end);
    this.#copyFrom = end;
  }

  #blanks(): void {
    const from = this.#at;
    let at = from + 1;
    while (isSpace(this.#text.charCodeAt(at))) at += 1;
    this.#at = at;
    // The usual single blank stays in the run that is being copied.
    if (at === from + 1 && this.#text.charCodeAt(from) === 0x20) return;
    this.#skip(from);
  }

  #lineComment(): void {
    const from = this.#at;
    this.#at = lineEnd(this.#text, from);
    this.#skip(from);
  }

  #blockComment(): void {
    const text = this.#text;
    const from = this.#at;
    let at = from + 2;
    for (let depth = 1; depth > 0 && at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      const next = text.charCodeAt(at + 1);
      if (code === 0x2a && next === 0x2f) {
        depth -= 1;
        at += 1;
      } else if (code === 0x2f && next === 0x2a) {
        depth += 1;
        at += 1;
      }
    }
    this.#at = Math.min(at, text.length);
    this.#skip(from);
  }

  /** What lies between `from` and here only separates tokens. */
  #skip(from: number): void {
    if (this.#start === -1) return;
    this.#copyUntil(Math.min(from, this.#tokenEnd));
    this.#gap = true;
    this.#copyFrom = this.#at;
  }

  #token(code: number): void {
    if (this.#start === -1) {
      this.#start = this.#at;
      this.#copyFrom = this.#at;
      if (!isIdentifierStart(code) && code !== 0x28) this.#cutting = false;
    } else if (this.#gap) {
      this.#fingerprint += ' ';
      this.#copyFrom = this.#at;
    }
    this.#gap = false;
    if (isIdentifierStart(code)) this.#identifierOrPrefix(code);
    else if (isDigit(code)) this.#number();
    else this.#symbol(code);
    this.#tokenEnd = this.#at;
  }

  #identifierOrPrefix(code: number): void {
    const next = this.#text.charCodeAt(this.#at + 1);
    const letter = code | 0x20;
    if (next === 0x27 && letter === 0x65) this.#string(this.#at + 1, true, true);
    else if (next === 0x27 && (letter === 0x62 || letter === 0x78)) {
      this.#string(this.#at + 1, false, false);
    } else if (next === 0x27 && letter === 0x6e) {
      this.#string(this.#at + 1, this.#plainEscapes, false);
    } else if (letter === 0x75 && next === 0x26) this.#unicode(this.#text.charCodeAt(this.#at + 2));
    else this.#identifier();
  }

  #unicode(quote: number): void {
    if (quote === 0x27) this.#string(this.#at + 2, false, false);
    else if (quote === 0x22) this.#quotedIdentifier(this.#at + 2);
    else this.#identifier();
  }

  #identifier(): void {
    const text = this.#text;
    const from = this.#at;
    let at = from + 1;
    while (isIdentifierPart(text.charCodeAt(at))) at += 1;
    this.#at = at;
    if (from === this.#start) this.#firstWord(text.slice(from, at));
    this.#word(lexerWord(text, from, at));
  }

  #firstWord(word: string): void {
    this.#cutting = isCutStatement(word);
    this.#creating = word.toLowerCase() === 'create';
  }

  #word(word: LexerWord): void {
    const last = this.#lastWord;
    this.#lastWord = word;
    switch (word) {
      case 'none':
      case 'order':
      case 'group':
      case 'distinct':
        return;
      case 'by':
        if (this.#listDepth === -1 && (last === 'order' || last === 'group')) {
          this.#listDepth = this.#depth;
        }
        return;
      case 'on':
        if (this.#listDepth === -1 && last === 'distinct') this.#listDepth = this.#depth + 1;
        return;
      case 'clause':
        if (this.#listDepth === this.#depth) this.#listDepth = -1;
        return;
      case 'type':
        if (this.#typeDepth === -1) this.#typeDepth = this.#depth + 1;
        return;
      case 'begin':
      case 'case':
        if (this.#atomicDepth > 0) this.#atomicDepth += 1;
        return;
      case 'atomic':
        if (this.#creating && last === 'begin' && this.#atomicDepth === 0) this.#atomicDepth = 1;
        return;
      case 'end':
        if (this.#atomicDepth > 0) this.#atomicDepth -= 1;
        return;
    }
  }

  #symbol(code: number): void {
    this.#endWait(code);
    if (code === 0x27) this.#string(this.#at, this.#plainEscapes, true);
    else if (code === 0x22) this.#quotedIdentifier(this.#at);
    else if (code === 0x24) this.#dollar();
    else if (code === 0x2e && isDigit(this.#text.charCodeAt(this.#at + 1))) this.#number();
    else if (code < 0x20 || code === 0x7f) this.#control(code);
    else {
      if (code === 0x28) this.#depth += 1;
      else if (code === 0x29) this.#close();
      this.#at += 1;
    }
  }

  #close(): void {
    this.#depth -= 1;
    if (this.#depth < this.#listDepth) this.#listDepth = -1;
    if (this.#depth < this.#typeDepth) this.#typeDepth = -1;
  }

  /** A type's modifiers follow it at once: any other symbol ends the wait for them. */
  #endWait(code: number): void {
    this.#lastWord = 'none';
    if (code !== 0x28 && this.#typeDepth === this.#depth + 1) this.#typeDepth = -1;
  }

  #control(code: number): void {
    this.#copyUntil(this.#at);
    this.#fingerprint += `\u0002${code.toString(16).padStart(2, '0')}`;
    this.#at += 1;
    this.#copyFrom = this.#at;
  }

  #quotedIdentifier(open: number): void {
    const text = this.#text;
    let at = open + 1;
    while (at < text.length) {
      if (text.charCodeAt(at) === 0x22) {
        if (text.charCodeAt(at + 1) !== 0x22) break;
        at += 1;
      }
      at += 1;
    }
    this.#at = Math.min(at + 1, text.length);
    this.#lastWord = 'none';
  }

  /** `open` is the first quote, the token begins here; kept ones may carry a UESCAPE. */
  #string(open: number, escapes: boolean, cut: boolean): void {
    const from = this.#at;
    this.#at = stringTokenEnd(this.#text, open, escapes);
    this.#lastWord = 'none';
    if (this.#plainEscapes && (from === open || !cut) && this.#hasBackslash(from)) {
      this.#copyUntil(from);
      this.#fingerprint += nonStandardString;
    }
    if (cut && this.#cutting && !this.#namesTheClock(open)) this.#cut('string', from);
  }

  /** `'now'`, `'today'` ...: as a date they mean another value each time, so they shape the plan. */
  #namesTheClock(open: number): boolean {
    const code = this.#text.charCodeAt(open + 1);
    const first = code | 0x20;
    if (first !== 0x6e && first !== 0x74 && first !== 0x79 && !isSpace(code)) return false;
    return clockWord.test(this.#text.slice(open + 1, Math.min(this.#at, open + 30)));
  }

  #hasBackslash(from: number): boolean {
    const backslash = this.#text.indexOf('\\', from);
    return backslash !== -1 && backslash < this.#at;
  }

  #dollar(): void {
    const from = this.#at;
    if (isDigit(this.#text.charCodeAt(from + 1))) {
      this.#parameter();
      return;
    }
    const end = dollarQuoteEnd(this.#text, from);
    this.#at = end === -1 ? from + 1 : end;
    const open = this.#text.indexOf('$', from + 1);
    if (end !== -1 && this.#cutting && !this.#namesTheClock(open)) this.#cut('string', from);
  }

  #parameter(): void {
    let at = this.#at + 1;
    let number = 0;
    for (; isDigit(this.#text.charCodeAt(at)); at += 1) {
      number = number * 10 + this.#text.charCodeAt(at) - 0x30;
    }
    this.#at = at;
    if (number > this.#parameterCount) this.#parameterCount = number;
  }

  #number(): void {
    const from = this.#at;
    const { end, kind } = numberToken(this.#text, from);
    this.#at = end;
    this.#lastWord = 'none';
    if (!this.#cutting || kind === null) return;
    const listed = this.#listDepth !== -1 && this.#depth >= this.#listDepth;
    const modifier = this.#typeDepth !== -1 && this.#depth >= this.#typeDepth;
    if (!listed && !modifier) this.#cut(kind, from);
  }

  #cut(kind: Literal['kind'], from: number): void {
    this.#copyUntil(from);
    this.#fingerprint += marks[kind];
    this.#literals.push({ kind, start: from, end: this.#at });
    this.#copyFrom = this.#at;
  }
}
