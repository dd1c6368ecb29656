import { assert } from '../base/assert.ts';

/**
 * Builds messages back to back in one growing buffer:
 *
 *     new MessageWriter().begin(code).int32(7).cString('x').end().take()
 */
export class MessageWriter {
  #bytes: Buffer;
  #length = 0;
  #messageStart = -1;

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  begin(code: number): this {
    this.#ensure(5);
    this.#bytes[this.#length] = code;
    this.#messageStart = this.#length + 1;
    this.#length += 5;
    return this;
  }

  end(): this {
    assert(this.#messageStart >= 0, 'a message ends that has not begun');
    this.#bytes.writeInt32BE(this.#length - this.#messageStart, this.#messageStart);
    this.#messageStart = -1;
    return this;
  }

  int8(value: number): this {
    this.#ensure(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
    return this;
  }

  /** Signed or unsigned: -32768 to 65535. */
  int16(value: number): this {
    this.#ensure(2);
    this.#bytes.writeUInt16BE(value & 0xffff, this.#length);
    this.#length += 2;
    return this;
  }

  /** Signed or unsigned: -2147483648 to 4294967295. */
  int32(value: number): this {
    this.#ensure(4);
    this.#bytes.writeUInt32BE(value >>> 0, this.#length);
    this.#length += 4;
    return this;
  }

  bytes(source: Buffer, start = 0, end = source.length): this {
    this.#ensure(end - start);
    source.copy(this.#bytes, this.#length, start, end);
    this.#length += end - start;
    return this;
  }

  /** UTF-8 without length or terminator. */
  text(value: string): this {
    const byteLength = Buffer.byteLength(value);
    this.#ensure(byteLength);
    this.#length += this.#bytes.write(value, this.#length);
    return this;
  }

  /** UTF-8 and a NUL, which the text must not contain. */
  cString(value: string): this {
    assert(!value.includes('\0'), 'a NUL cannot be written as text');
    return this.text(value).int8(0);
  }

  /** A column or bind value: its length and its bytes, or the length -1 for null. */
  value(value: Buffer | string | null): this {
    if (value === null) return this.int32(-1);
    if (typeof value === 'string') return this.int32(Buffer.byteLength(value)).text(value);
    return this.int32(value.length).bytes(value);
  }

  /** Hands out what was written and begins anew; the buffer is the caller's from now on. */
  take(): Buffer {
    assert(this.#messageStart < 0, 'a message is unfinished');
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = this.#bytes.subarray(this.#length);
    this.#length = 0;
    return taken;
  }

  #ensure(extra: number): void {
    const wanted = this.#length + extra;
    if (wanted <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(256, 2 * wanted));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
