const noBytes = Buffer.alloc(0);

/**
 * Where a byte stands next in a buffer, remembered: asking for ever later places looks at each byte
 * of the buffer once, not once for each row in it.
 */
export class NextByte {
  readonly #byte: number;
  #bytes: Buffer = noBytes;
  #at = -1;

  /** -1: no byte, which is nowhere. */
  constructor(byte: number) {
    this.#byte = byte;
  }

  /** At `from` or behind it, or Infinity. */
  from(bytes: Buffer, from: number): number {
    if (this.#byte < 0) return Infinity;
    if (bytes !== this.#bytes || this.#at < from) {
      const at = bytes.indexOf(this.#byte, from);
      this.#bytes = bytes;
      this.#at = at < 0 ? Infinity : at;
    }
    return this.#at;
  }

  /** The buffer that was asked about may have other bytes now, or is not to be kept alive. */
  forget(): void {
    this.#bytes = noBytes;
  }
}
