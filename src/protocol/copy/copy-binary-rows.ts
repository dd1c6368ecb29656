import { unreachable } from '../../base/assert.ts';
import { type CopyField, noValue } from './copy-format.ts';
import { keyTooFar } from './copy-line-errors.ts';
import { type CopyRowReader, type CopyRowVisitor, longRowBytes } from './copy-rows.ts';
import { HeldBytes } from './held-bytes.ts';

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Signature, flags, and the length of what is added to the head. */
const headBytes = signature.length + 8;
/** Nobody has ever added anything. */
const addedBytesMax = 64 * 1024;
const noBytes = Buffer.alloc(0);
/** A row with -1 fields. */
const trailer = Buffer.from([0xff, 0xff]);

export type CopyBinaryOptions = {
  /** The field with the key, from 0; null: there is none. */
  readonly keyIndex: number | null;
  readonly keyBytesMax: number;
};

/**
 * The rows of the binary format (PostgreSQL manual, COPY, "Binary Format"): each a count of fields
 * and for each field its length and its bytes. What a server will not understand is passed on as one
 * `broken` row with all that follows.
 */
export class CopyBinaryRows implements CopyRowReader {
  readonly #options: CopyBinaryOptions;
  readonly #visitor: CopyRowVisitor;
  readonly #held = new HeldBytes();
  #state: 'head' | 'rows' | 'ended' | 'broken' = 'head';
  #rows = 0;
  #nextLook = longRowBytes;
  /** Of a row that has been passed on in part; -1: there is none. */
  #fieldsLeft = -1;
  #valueBytesLeft = 0;
  #key: CopyField | null = null;
  #stopped = { fields: 0, valueBytes: 0 };

  constructor(options: CopyBinaryOptions, visitor: CopyRowVisitor) {
    this.#options = options;
    this.#visitor = visitor;
  }

  get line(): number {
    return this.#rows + 1;
  }

  get trailer(): Buffer {
    return this.#state === 'ended' ? trailer : noBytes;
  }

  push(bytes: Buffer, start: number, end: number): void {
    const held = this.#held;
    if (held.length === 0) {
      const rest = this.#take(bytes, start, end);
      if (rest < end) held.append(bytes, rest, end);
    } else {
      held.append(bytes, start, end);
      held.drop(this.#take(held.bytes, 0, held.length));
    }
  }

  finish(): void {
    const { bytes, length } = this.#held;
    if (length === 0 && this.#fieldsLeft < 0 && this.#state !== 'head') return;
    if (this.#fieldsLeft >= 0) this.#visitor.more(bytes, 0, length, { lines: 1, isWhole: true });
    else this.#break(bytes, 0, length);
  }

  /** Passes on what is complete; returns where the rest begins. */
  #take(bytes: Buffer, start: number, end: number): number {
    if (start === end) return end;
    switch (this.#state) {
      case 'head': {
        const rest = this.#head(bytes, start, end);
        return rest === start ? start : this.#take(bytes, rest, end);
      }
      case 'rows':
        return this.#takeRows(bytes, start, end);
      case 'ended':
        this.#break(Buffer.concat([trailer, bytes.subarray(start, end)]), 0, end - start + 2);
        return end;
      case 'broken':
        this.#visitor.more(bytes, start, end, { lines: 1, isWhole: false });
        return end;
      default:
        return unreachable(this.#state);
    }
  }

  #head(bytes: Buffer, start: number, end: number): number {
    const known = Math.min(end - start, signature.length);
    if (signature.compare(bytes, start, start + known, 0, known) !== 0) {
      this.#break(bytes, start, end);
      return end;
    }
    if (end - start < headBytes) return start;
    const added = bytes.readInt32BE(start + headBytes - 4);
    if (added < 0 || added > addedBytesMax) {
      this.#break(bytes, start, end);
      return end;
    }
    const rowsStart = start + headBytes + added;
    if (end < rowsStart) return start;
    this.#visitor.head(bytes, start, rowsStart, 0);
    this.#state = 'rows';
    return rowsStart;
  }

  #takeRows(bytes: Buffer, start: number, end: number): number {
    let at = start;
    if (this.#fieldsLeft >= 0) {
      at = this.#goOn(bytes, start, end);
      if (this.#fieldsLeft >= 0) return at;
    }
    while (end - at >= 2) {
      const fields = bytes.readInt16BE(at);
      if (fields < 0) return this.#end(bytes, at, end);
      const rowEnd = this.#walk(bytes, at, end, fields);
      if (this.#state === 'broken') return end;
      if (rowEnd < 0) break;
      const key = this.#key ?? noValue.missing;
      this.#visitor.row(bytes, at, rowEnd, { key, lines: 1, isWhole: true });
      this.#rows += 1;
      this.#nextLook = longRowBytes;
      at = rowEnd;
    }
    return end - at >= this.#nextLook ? this.#look(bytes, at, end) : at;
  }

  #end(bytes: Buffer, at: number, end: number): number {
    if (bytes.readInt16BE(at) !== -1) {
      this.#break(bytes, at, end);
      return end;
    }
    this.#state = 'ended';
    return this.#take(bytes, at + 2, end);
  }

  /** Notes the key. Where the row ends; -1: not in these bytes. */
  #walk(bytes: Buffer, start: number, end: number, fields: number): number {
    const { keyIndex } = this.#options;
    this.#key = keyIndex === null ? noValue.missing : null;
    let at = start + 2;
    for (let field = 0; field < fields; field++) {
      if (end - at < 4) return this.#stop(fields - field, 0);
      const length = bytes.readInt32BE(at);
      at += 4;
      if (length < -1) {
        this.#break(bytes, start, end);
        return end;
      }
      if (length < 0) {
        if (field === keyIndex) this.#key = noValue.null;
        continue;
      }
      if (end - at < length) return this.#stop(fields - field - 1, length - (end - at));
      if (field === keyIndex) {
        this.#key = { kind: 'value', bytes: bytes.subarray(at, at + length) };
      }
      at += length;
    }
    return at;
  }

  /** What an unfinished row still has to come, should its beginning be passed on. */
  #stop(fields: number, valueBytes: number): -1 {
    this.#stopped = { fields, valueBytes };
    return -1;
  }

  /** Passes the beginning of a long row on if its key is in it. */
  #look(bytes: Buffer, start: number, end: number): number {
    const key = this.#key;
    const { keyBytesMax } = this.#options;
    if (key === null) {
      if (end - start > keyBytesMax) throw keyTooFar(keyBytesMax);
      this.#nextLook = 2 * (end - start);
      return start;
    }
    const { fields, valueBytes } = this.#stopped;
    // The beginning of a field's length, which is not complete, waits.
    const stop = valueBytes > 0 ? end : this.#lengthStart(bytes, start, fields);
    this.#fieldsLeft = fields;
    this.#valueBytesLeft = valueBytes;
    this.#visitor.row(bytes, start, stop, { key, lines: 1, isWhole: false });
    return stop;
  }

  #lengthStart(bytes: Buffer, start: number, fieldsLeft: number): number {
    let at = start + 2;
    for (let field = bytes.readInt16BE(start) - fieldsLeft; field > 0; field--) {
      at += 4 + Math.max(0, bytes.readInt32BE(at));
    }
    return at;
  }

  /** More of a row whose beginning has been passed on. */
  #goOn(bytes: Buffer, start: number, end: number): number {
    let at = start;
    for (;;) {
      const take = Math.min(this.#valueBytesLeft, end - at);
      at += take;
      this.#valueBytesLeft -= take;
      if (this.#valueBytesLeft > 0 || this.#fieldsLeft === 0 || end - at < 4) break;
      // A server does not take what is below -1.
      this.#valueBytesLeft = Math.max(0, bytes.readInt32BE(at));
      this.#fieldsLeft -= 1;
      at += 4;
    }
    const isWhole = this.#valueBytesLeft === 0 && this.#fieldsLeft === 0;
    if (at > start || isWhole) this.#visitor.more(bytes, start, at, { lines: 1, isWhole });
    if (!isWhole) return at;
    this.#fieldsLeft = -1;
    this.#rows += 1;
    this.#nextLook = longRowBytes;
    return at;
  }

  #break(bytes: Buffer, start: number, end: number): void {
    this.#state = 'broken';
    this.#visitor.row(bytes, start, end, { key: noValue.broken, lines: 1, isWhole: false });
  }
}
