import type { LongValue } from '../../protocol/long-bind.ts';
import { TypeOid } from '../../protocol/type-oid.ts';

/** A small result takes little memory, and a large one is not many buffers. */
const firstChunkBytes = 1024;
const chunkBytesMax = 256 * 1024;
const headerBytes = 20;

export const shortBytesMax = 60;
/** A length word and an element, on their way. */
const short = Buffer.alloc(4 + shortBytesMax);

/**
 * Builds the binary form of a one-dimensional text[] (array_recv in PostgreSQL's arrayfuncs.c): a
 * header, then each element as its length and its bytes, or the length -1 for NULL. That is how a
 * DataRow holds a column in text format, so elements are copied, never decoded.
 */
export class TextArray {
  readonly #full: Buffer[] = [];
  #chunk = Buffer.allocUnsafeSlow(firstChunkBytes);
  #length = 0;
  #byteLength = 0;
  #count = 0;
  #hasNull = false;

  /** An element of `length` bytes (-1: NULL) at `start`, its length word right in front of it. */
  add(bytes: Buffer, start: number, length: number): void {
    this.#count++;
    if (length < 0) this.#hasNull = true;
    this.#copy(bytes, start - 4, start + Math.max(0, length));
  }

  /** An element of ASCII characters, at most `shortBytesMax` of them. */
  addShort(text: string): void {
    this.#count++;
    short.writeInt32BE(text.length);
    short.write(text, 4, 'latin1');
    this.#copy(short, 0, 4 + text.length);
  }

  /** The value; nothing can be added any more. */
  finish(): LongValue {
    const isEmpty = this.#count === 0;
    const header = Buffer.alloc(isEmpty ? 12 : headerBytes);
    header.writeInt32BE(isEmpty ? 0 : 1, 0);
    header.writeInt32BE(this.#hasNull ? 1 : 0, 4);
    header.writeInt32BE(TypeOid.text, 8);
    if (!isEmpty) {
      header.writeInt32BE(this.#count, 12);
      header.writeInt32BE(1, 16);
    }
    const last = this.#chunk.subarray(0, this.#length);
    const parts = isEmpty ? [header] : [header, ...this.#full, last];
    return { parts, byteLength: header.length + this.#byteLength };
  }

  /** Elements may lie across the border of two chunks. */
  #copy(bytes: Buffer, start: number, end: number): void {
    this.#byteLength += end - start;
    let from = start;
    while (from < end) {
      if (this.#length === this.#chunk.length) this.#grow();
      const copied = bytes.copy(this.#chunk, this.#length, from, end);
      this.#length += copied;
      from += copied;
    }
  }

  #grow(): void {
    this.#full.push(this.#chunk);
    const wanted = Math.min(chunkBytesMax, this.#chunk.length * 2);
    this.#chunk = Buffer.allocUnsafeSlow(wanted);
    this.#length = 0;
  }
}
