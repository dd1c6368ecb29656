import type { CopyField, CopyFormat } from './copy-format.ts';
import { keyTooFar, literalLineEnd, markerNotAlone, markerStyle } from './copy-line-errors.ts';
import { type CopyRowReader, type CopyRowVisitor, longRowBytes } from './copy-rows.ts';
import { HeldBytes } from './held-bytes.ts';
import { NextByte } from './next-byte.ts';

const backslash = 0x5c;
const dot = 0x2e;
const newline = 0x0a;
const carriageReturn = 0x0d;
const noBytes = Buffer.alloc(0);
/** Less than so much is looked at byte by byte: a search would go on beyond it. */
const searchBytesMin = 64;

/** As copyTextField and copyCsvField. */
export type FieldFinder = (
  bytes: Buffer,
  start: number,
  end: number,
  isWhole: boolean,
) => CopyField | null;

export type CopyLinesOptions = {
  readonly format: Exclude<CopyFormat, { readonly kind: 'binary' }>;
  /** Finds the key in a line, whose end it is not given. */
  readonly findKey: FieldFinder;
  /** Bytes of a row in which its key must come. */
  readonly keyBytesMax: number;
};

/**
 * The rows of text and CSV format, by the rules of PostgreSQL's CopyReadLineText: the first line end
 * says what ends all lines; in text format a backslash takes the byte behind it along, and `\.` alone
 * on a line ends the data. What cannot be understood without the next byte is left until that comes.
 */
export class CopyLines implements CopyRowReader {
  readonly trailer = noBytes;
  readonly #options: CopyLinesOptions;
  readonly #visitor: CopyRowVisitor;
  readonly #isCsv: boolean;
  readonly #quote: number;
  /** -1: the quote is its own escape. */
  readonly #escape: number;
  readonly #held = new HeldBytes();
  /** What may make a row end elsewhere than at the next newline. */
  readonly #nextMark: NextByte;
  readonly #nextReturn = new NextByte(carriageReturn);
  #lineEnd: 'unknown' | 'newline' | 'carriage-return' | 'both' = 'unknown';
  #inHeader: boolean;
  #hasEnded = false;
  #inQuote = false;
  #wasEscape = false;
  /** Lines before the row that is being read, and those within it so far. */
  #linesBefore = 0;
  #linesWithin = 0;
  /** The beginning of the row has been passed on. */
  #isOpen = false;
  /** Bytes of the row, those that were passed on left out, that have been looked at. */
  #scanned = 0;
  /** How long an unfinished row must be before its key is looked for again. */
  #nextLook = longRowBytes;
  /** Where the last scan found the content of the row to end, or where it stopped. */
  #contentEnd = 0;
  /** Where `#isPlain` has found the next newline. */
  #newlineAt = 0;

  constructor(options: CopyLinesOptions, visitor: CopyRowVisitor) {
    const { format } = options;
    this.#options = options;
    this.#visitor = visitor;
    this.#isCsv = format.kind === 'csv';
    this.#quote = format.kind === 'csv' ? format.quote : -1;
    this.#escape = format.kind === 'csv' && format.escape !== format.quote ? format.escape : -1;
    this.#inHeader = format.hasHeader;
    this.#nextMark = new NextByte(format.kind === 'csv' ? format.quote : backslash);
  }

  get line(): number {
    return this.#linesBefore + this.#linesWithin + 1;
  }

  push(bytes: Buffer, start: number, end: number): void {
    if (this.#hasEnded) return;
    const held = this.#held;
    if (held.length > 0) {
      this.#nextMark.forget();
      this.#nextReturn.forget();
      held.append(bytes, start, end);
      held.drop(this.#rows(held.bytes, 0, held.length, false));
    } else {
      const rest = this.#rows(bytes, start, end, false);
      if (rest < end) held.append(bytes, rest, end);
    }
  }

  finish(): void {
    if (this.#hasEnded) return;
    this.#nextMark.forget();
    this.#nextReturn.forget();
    const { bytes, length } = this.#held;
    const rest = this.#rows(bytes, 0, length, true);
    // The end of the data ends the last row as well.
    if (rest < length || this.#isOpen) this.#pass(bytes, rest, length, length);
    this.#hasEnded = true;
  }

  /** Passes on what is complete; returns where the rest begins. */
  #rows(bytes: Buffer, from: number, to: number, isLast: boolean): number {
    let rowStart = from;
    let at = from + this.#scanned;
    for (;;) {
      const end = this.#isPlain(bytes, at, to)
        ? this.#plainRowEnd(bytes, to)
        : this.#isCsv
          ? this.#csvRowEnd(bytes, at, to, isLast)
          : this.#textRowEnd(bytes, rowStart, at, to, isLast);
      if (this.#hasEnded) return to;
      if (end < 0) break;
      this.#pass(bytes, rowStart, this.#contentEnd, end);
      rowStart = end;
      at = end;
    }
    const stop = this.#contentEnd;
    if (this.#isOpen) {
      if (stop > rowStart) this.#more(bytes, rowStart, stop, false);
      rowStart = stop;
    } else if (!isLast && stop - rowStart >= this.#nextLook && !this.#inHeader) {
      rowStart = this.#look(bytes, rowStart, stop);
    }
    this.#scanned = stop - rowStart;
    return rowStart;
  }

  /** A whole row, or the end of a long one. */
  #pass(bytes: Buffer, start: number, contentEnd: number, end: number): void {
    const lines = 1 + this.#linesWithin;
    if (this.#inHeader) {
      this.#inHeader = false;
      this.#visitor.head(bytes, start, end, lines);
    } else if (this.#isOpen) this.#more(bytes, start, end, true);
    else {
      const key = this.#options.findKey(bytes, start, contentEnd, true);
      if (key !== null) this.#visitor.row(bytes, start, end, { key, lines, isWhole: true });
    }
    this.#linesBefore += lines;
    this.#linesWithin = 0;
    this.#isOpen = false;
    this.#nextLook = longRowBytes;
  }

  #more(bytes: Buffer, start: number, end: number, isWhole: boolean): void {
    this.#visitor.more(bytes, start, end, { lines: 1 + this.#linesWithin, isWhole });
  }

  /** Passes the beginning of a long row on if its key is in it. */
  #look(bytes: Buffer, start: number, end: number): number {
    const key = this.#options.findKey(bytes, start, end, false);
    if (key !== null) {
      const lines = 1 + this.#linesWithin;
      this.#isOpen = true;
      this.#visitor.row(bytes, start, end, { key, lines, isWhole: false });
      return end;
    }
    const { keyBytesMax } = this.#options;
    if (end - start > keyBytesMax) throw keyTooFar(keyBytesMax);
    this.#nextLook = 2 * (end - start);
    return start;
  }

  /** Nothing but a newline can end the row, up to the next one. Searching is faster than looking. */
  #isPlain(bytes: Buffer, from: number, to: number): boolean {
    if (this.#inQuote || this.#wasEscape || to - from < searchBytesMin) return false;
    this.#newlineAt = bytes.indexOf(newline, from);
    if (this.#newlineAt < 0 || this.#newlineAt >= to) this.#newlineAt = to;
    const stop = this.#newlineAt;
    return this.#nextMark.from(bytes, from) >= stop && this.#nextReturn.from(bytes, from) >= stop;
  }

  #plainRowEnd(bytes: Buffer, to: number): number {
    const at = this.#newlineAt;
    this.#contentEnd = at;
    return at < to ? this.#lineEndAt(bytes, at, to, false) : -1;
  }

  /** Where the row ends, its line end included; -1: not in these bytes. */
  #textRowEnd(bytes: Buffer, start: number, from: number, to: number, isLast: boolean): number {
    let at = from;
    while (at < to) {
      const byte = bytes[at];
      if (byte === newline || byte === carriageReturn) {
        const end = this.#lineEndAt(bytes, at, to, isLast);
        this.#contentEnd = at;
        return end;
      }
      if (byte !== backslash) {
        at += 1;
        continue;
      }
      if (at + 1 >= to) {
        if (isLast) at += 1;
        break;
      }
      if (bytes[at + 1] === dot) {
        if (!this.#isMarker(bytes, at, to, isLast)) break;
        if (at > start || this.#isOpen) throw markerNotAlone();
        this.#hasEnded = true;
        return -1;
      }
      at += 2;
    }
    this.#contentEnd = at;
    return -1;
  }

  #csvRowEnd(bytes: Buffer, from: number, to: number, isLast: boolean): number {
    const quote = this.#quote;
    const escaping = this.#escape;
    for (let at = from; at < to; at++) {
      const byte = bytes[at];
      if (byte === carriageReturn && at + 1 >= to && !isLast) {
        this.#contentEnd = at;
        return -1;
      }
      if (this.#inQuote && byte === escaping) this.#wasEscape = !this.#wasEscape;
      if (byte === quote && !this.#wasEscape) this.#inQuote = !this.#inQuote;
      if (byte !== escaping) this.#wasEscape = false;
      if (byte !== newline && byte !== carriageReturn) continue;
      if (this.#inQuote) {
        // PostgreSQL's own way of counting.
        const counts = this.#lineEnd === 'newline' ? newline : carriageReturn;
        if (byte === counts) this.#linesWithin += 1;
        continue;
      }
      this.#contentEnd = at;
      return this.#lineEndAt(bytes, at, to, isLast);
    }
    this.#contentEnd = to;
    return -1;
  }

  /** The end of the line end that begins here; -1: the next byte must come first. */
  #lineEndAt(bytes: Buffer, at: number, to: number, isLast: boolean): number {
    const known = this.#lineEnd;
    if (bytes[at] === newline) {
      if (known === 'both' || known === 'carriage-return') {
        throw literalLineEnd(this.#isCsv, 'newline');
      }
      this.#lineEnd = 'newline';
      return at + 1;
    }
    if (known === 'newline') throw literalLineEnd(this.#isCsv, 'carriage return');
    if (known === 'carriage-return') return at + 1;
    if (at + 1 >= to && !isLast) return -1;
    if (at + 1 < to && bytes[at + 1] === newline) {
      this.#lineEnd = 'both';
      return at + 2;
    }
    if (known === 'both') throw literalLineEnd(this.#isCsv, 'carriage return');
    this.#lineEnd = 'carriage-return';
    return at + 1;
  }

  /** True for `\.` and a line end; false: the next byte must come first. */
  #isMarker(bytes: Buffer, at: number, to: number, isLast: boolean): boolean {
    const isBoth = this.#lineEnd === 'both';
    const length = isBoth ? 4 : 3;
    if (at + length > to && !isLast) return false;
    const first = at + 2 < to ? bytes[at + 2] : 0;
    if (isBoth) {
      if (first === newline) throw markerStyle();
      if (first !== carriageReturn) throw markerNotAlone();
    }
    const last = isBoth ? (at + 3 < to ? bytes[at + 3] : 0) : first;
    if (last !== newline && last !== carriageReturn) throw markerNotAlone();
    const expected = this.#lineEnd === 'carriage-return' ? carriageReturn : newline;
    if (this.#lineEnd !== 'unknown' && last !== expected) throw markerStyle();
    return true;
  }
}
