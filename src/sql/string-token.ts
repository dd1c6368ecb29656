import { characterClass } from './character-class.ts';

const quote = 0x27;
const backslash = 0x5c;
const minus = 0x2d;
const newline = 0x0a;
const carriageReturn = 0x0d;
const dollar = 0x24;

/**
 * Where a quoted string that opens at `open` (its first quote) ends, one past the closing quote;
 * pieces that continue it on a later line belong to it (manual, 4.1.2.1). The end of the text when
 * it is not closed.
 */
export function stringTokenEnd(text: string, open: number, escapes: boolean): number {
  let end = quotedEnd(text, open, escapes);
  while (end < text.length) {
    const next = continuationStart(text, end);
    if (next === -1) return end;
    end = quotedEnd(text, next, escapes);
  }
  return text.length;
}

function quotedEnd(text: string, open: number, escapes: boolean): number {
  for (let at = open + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === backslash && escapes) at += 1;
    else if (code === quote) {
      if (text.charCodeAt(at + 1) !== quote) return at + 1;
      at += 1;
    }
  }
  return text.length;
}

/** The opening quote of the next piece, or -1: only blanks and `--` comments with a line break. */
export function continuationStart(text: string, from: number): number {
  let sawNewline = false;
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === newline || code === carriageReturn) sawNewline = true;
    else if (code === minus && text.charCodeAt(at + 1) === minus) at = lineEnd(text, at) - 1;
    else if (!characterClass.isSpace(code)) return code === quote && sawNewline ? at : -1;
  }
  return -1;
}

/** The line break that ends the line of `from`, or the end of the text. */
export function lineEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === newline || code === carriageReturn) break;
    at += 1;
  }
  return at;
}

/**
 * Where the dollar-quoted string that begins at `start` ends; -1 when no `$tag$` stands there; the
 * end of the text when it is not closed.
 */
export function dollarQuoteEnd(text: string, start: number): number {
  let at = start + 1;
  if (characterClass.isDigit(text.charCodeAt(at))) return -1;
  while (at < text.length && text.charCodeAt(at) !== dollar) {
    if (!characterClass.isIdentifierPart(text.charCodeAt(at))) return -1;
    at += 1;
  }
  if (at >= text.length) return -1;
  const tag = text.slice(start, at + 1);
  const close = text.indexOf(tag, at + 1);
  return close === -1 ? text.length : close + tag.length;
}
