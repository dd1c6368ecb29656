const noBytes = Buffer.alloc(0);

/** Bytes that wait for those behind them: one buffer that doubles, so that each is copied about twice. */
export class HeldBytes {
  #bytes: Buffer = noBytes;
  #length = 0;

  get bytes(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  append(source: Buffer, start: number, end: number): void {
    const wanted = this.#length + end - start;
    if (wanted > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(256, 2 * this.#length, wanted));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    source.copy(this.#bytes, this.#length, start, end);
    this.#length = wanted;
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    if (count === 0) return;
    this.#bytes.copyWithin(0, count, this.#length);
    this.#length -= count;
    // One long row is no reason to keep its room.
    if (this.#length === 0 && this.#bytes.length > keptBytesMax) this.#bytes = noBytes;
  }
}

const keptBytesMax = 256 * 1024;
