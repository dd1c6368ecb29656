import type { RowSink } from '../select/row-sink.ts';

/** Bytes collected before they are handed to the sink. */
const batchBytes = 32 * 1024;
/** Below this a batch is copied out, and its memory is used again. */
const copyBytesMax = 8 * 1024;

/** Collects DataRow frames, so that the sink gets many per call. */
export class RowBatch {
  readonly #sink: RowSink;
  #bytes = Buffer.allocUnsafeSlow(batchBytes);
  #length = 0;
  #count = 0;

  constructor(sink: RowSink) {
    this.#sink = sink;
  }

  /** Room for `length` bytes of `count` frames, to be written at the offset that is returned. */
  reserve(length: number, count: number): number {
    if (this.#length + length > this.#bytes.length) this.flush();
    if (length > this.#bytes.length) this.#bytes = Buffer.allocUnsafeSlow(length);
    const offset = this.#length;
    this.#length += length;
    this.#count += count;
    return offset;
  }

  /** Where `reserve` gave room; changes with every call of it. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  flush(): void {
    if (this.#count === 0) return;
    const filled = this.#bytes.subarray(0, this.#length);
    const count = this.#count;
    const isKept = this.#length <= copyBytesMax;
    if (!isKept) this.#bytes = Buffer.allocUnsafeSlow(batchBytes);
    this.#length = 0;
    this.#count = 0;
    this.#sink.rows(isKept ? Buffer.from(filled) : filled, count);
  }
}
