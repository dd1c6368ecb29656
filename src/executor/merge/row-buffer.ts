import type { Row } from './row.ts';

/**
 * The rows that one shard has sent and nobody has read yet: copies of ranges of whole DataRow
 * frames, in order. A range is freed when its last row is read.
 */
export class RowBuffer {
  #ranges: Buffer[] = [];
  #first = 0;
  /** Where the next row begins in the first range. */
  #offset = 0;
  #bytes = 0;
  #chunk: Buffer | null = null;
  #start = 0;
  #end = 0;

  /** Bytes of memory held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Notes a frame of the current chunk; it is copied by `settle`, before the chunk is used again. */
  add(chunk: Buffer, start: number, end: number): void {
    if (this.#chunk === chunk && this.#end === start) {
      this.#end = end;
      return;
    }
    this.settle();
    this.#chunk = chunk;
    this.#start = start;
    this.#end = end;
  }

  settle(): void {
    if (this.#chunk === null) return;
    const range = Buffer.from(this.#chunk.subarray(this.#start, this.#end));
    this.#ranges.push(range);
    this.#bytes += range.length;
    this.#chunk = null;
  }

  /** Points `row` at the next row; false when there is none. */
  shift(row: Row): boolean {
    const range = this.#ranges[this.#first];
    if (range === undefined) return false;
    const start = this.#offset;
    const end = start + 1 + range.readUInt32BE(start + 1);
    row.point(range, start, end);
    this.#offset = end;
    if (end === range.length) this.#drop(range.length);
    return true;
  }

  clear(): void {
    this.#ranges = [];
    this.#first = 0;
    this.#offset = 0;
    this.#bytes = 0;
    this.#chunk = null;
  }

  #drop(length: number): void {
    this.#bytes -= length;
    this.#offset = 0;
    this.#first++;
    if (this.#first < this.#ranges.length) return;
    this.#ranges = [];
    this.#first = 0;
  }
}
