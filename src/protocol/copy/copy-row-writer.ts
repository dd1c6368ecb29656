import { DataRowReader } from '../data-row.ts';
import { BackendCode } from '../message-code.ts';
import { MessageWriter } from '../message-writer.ts';
import type { CopyFormat } from './copy-format.ts';

const backslash = 0x5c;
const newline = 0x0a;
const carriageReturn = 0x0d;
const binaryHead = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const binaryTrailer = Buffer.from([0xff, 0xff]);
/** A value that could be taken for the end of the data. */
const marker = Buffer.from('\\.');

/** Control characters by the letter that stands for them. */
const letters = new Uint8Array(256);
for (const [letter, code] of Object.entries({ b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 })) {
  letters[code] = letter.charCodeAt(0);
}

export type CopyColumn = { readonly name: string; readonly isForceQuoted: boolean };

/**
 * COPY TO STDOUT as the server would write it (PostgreSQL manual, COPY, "File Formats"), from rows as
 * DataRow messages: their values in text format, or in binary format for a binary COPY.
 */
export class CopyRowWriter {
  readonly #format: CopyFormat;
  readonly #columns: readonly CopyColumn[];
  readonly #reader = new DataRowReader();
  /** Binary: drivers rely on the server's way of sending it, in one message with what follows. */
  #head: Buffer = binaryHead;

  constructor(format: CopyFormat, columns: readonly CopyColumn[]) {
    this.#format = format;
    this.#columns = columns;
  }

  /** CopyOutResponse and the line of names. */
  begin(): Buffer {
    const format = this.#format;
    const code = format.kind === 'binary' ? 1 : 0;
    const writer = new MessageWriter().begin(BackendCode.copyOutResponse).int8(code);
    writer.int16(this.#columns.length);
    for (const _ of this.#columns) writer.int16(code);
    writer.end();
    if (format.kind !== 'binary' && format.hasHeader) this.#header(writer, format);
    return writer.take();
  }

  /** CopyData for each of the rows; takes the buffer over. */
  rows(frames: Buffer): Buffer {
    const format = this.#format;
    const writer = new MessageWriter(format.kind === 'binary' ? 0 : frames.length * 2);
    for (let start = 0; start < frames.length; ) {
      const end = start + 1 + frames.readInt32BE(start + 1);
      // A row in binary format is the same in both messages.
      if (format.kind === 'binary') frames[start] = BackendCode.copyData;
      else this.#row(writer, format, frames, start, end);
      start = end;
    }
    return format.kind === 'binary' ? this.#withHead(frames) : writer.take();
  }

  /** What stands behind the rows, CopyDone left out. */
  end(): Buffer {
    if (this.#format.kind !== 'binary') return Buffer.alloc(0);
    return this.#withHead(
      new MessageWriter().begin(BackendCode.copyData).bytes(binaryTrailer).end().take(),
    );
  }

  #withHead(frames: Buffer): Buffer {
    const head = this.#head;
    if (head.length === 0 || frames.length === 0) return frames;
    this.#head = frames.subarray(0, 0);
    const joined = Buffer.concat([frames.subarray(0, 5), head, frames.subarray(5)]);
    joined.writeInt32BE(frames.readInt32BE(1) + head.length, 1);
    return joined;
  }

  #header(writer: MessageWriter, format: TextFormat): void {
    writer.begin(BackendCode.copyData);
    for (const [index, { name }] of this.#columns.entries()) {
      if (index > 0) writer.int8(format.delimiter);
      const bytes = Buffer.from(name);
      this.#value(writer, format, { bytes, start: 0, end: bytes.length, isForceQuoted: false });
    }
    writer.int8(newline).end();
  }

  #row(writer: MessageWriter, format: TextFormat, bytes: Buffer, start: number, end: number): void {
    const reader = this.#reader;
    reader.open(bytes, start, end);
    writer.begin(BackendCode.copyData);
    for (let index = 0; reader.next(); index++) {
      if (index > 0) writer.int8(format.delimiter);
      const { valueStart, valueLength } = reader;
      if (valueLength < 0) {
        writer.bytes(format.nullText);
        continue;
      }
      const isForceQuoted = this.#columns[index]?.isForceQuoted === true;
      const valueEnd = valueStart + valueLength;
      this.#value(writer, format, { bytes, start: valueStart, end: valueEnd, isForceQuoted });
    }
    writer.int8(newline).end();
  }

  #value(writer: MessageWriter, format: TextFormat, value: Value): void {
    if (format.kind === 'text') escaped(writer, format.delimiter, value);
    else if (this.#isQuoted(format, value)) quoted(writer, format, value);
    else writer.bytes(value.bytes, value.start, value.end);
  }

  #isQuoted(format: CsvFormat, { bytes, start, end, isForceQuoted }: Value): boolean {
    const { delimiter, quote, nullText } = format;
    const isOf = (text: Buffer) => {
      return text.length === end - start && text.compare(bytes, start, end) === 0;
    };
    if (isForceQuoted || isOf(nullText)) return true;
    if (this.#columns.length === 1 && isOf(marker)) return true;
    for (let at = start; at < end; at++) {
      const byte = bytes[at];
      if (byte === delimiter || byte === quote) return true;
      if (byte === newline || byte === carriageReturn) return true;
    }
    return false;
  }
}

type TextFormat = Exclude<CopyFormat, { readonly kind: 'binary' }>;
type CsvFormat = Extract<CopyFormat, { readonly kind: 'csv' }>;

type Value = {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly isForceQuoted: boolean;
};

function escaped(writer: MessageWriter, delimiter: number, { bytes, start, end }: Value): void {
  let plainStart = start;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    const letter = letters[byte] ?? 0;
    if (letter === 0 && byte !== backslash && byte !== delimiter) continue;
    writer.bytes(bytes, plainStart, at).int8(backslash);
    writer.int8(letter === 0 ? byte : letter);
    plainStart = at + 1;
  }
  writer.bytes(bytes, plainStart, end);
}

function quoted(writer: MessageWriter, format: CsvFormat, { bytes, start, end }: Value): void {
  const { quote, escape: escaping } = format;
  writer.int8(quote);
  let plainStart = start;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte !== quote && byte !== escaping) continue;
    writer.bytes(bytes, plainStart, at).int8(escaping);
    plainStart = at;
  }
  writer.bytes(bytes, plainStart, end).int8(quote);
}
