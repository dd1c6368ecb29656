import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';

/** One code byte and a length that counts itself. */
const headerBytes = 5;
const noBytes = Buffer.alloc(0);

export type FrameReaderOptions = {
  /** Bytes of one frame that is assembled, code and length included. */
  readonly frameBytesMax: number;
};

/**
 * Splits a byte stream into frames without allocating per frame:
 *
 *     reader.push(chunk);
 *     while (reader.next()) use(reader.code, reader.chunk, reader.start, reader.end);
 *
 * A frame lies complete in `chunk[start, end)`, code and length included. `chunk` is the pushed
 * chunk itself, or, for a frame that was split over chunks, a buffer with this one frame: only
 * split frames are copied, each byte of them once (and while the buffer doubles, so that a length
 * in a header reserves no memory before its bytes have come). When `next()` has returned false,
 * the reader holds no chunk any more, at most the beginning of one frame.
 *
 * With `parts` on, a DataRow or CopyData longer than `partBytesMin` that is not complete in its
 * chunk is handed out piece by piece instead, with `remaining` > 0 before the last piece;
 * `frameBytesMax` does not apply to it. A piece that begins the frame starts with the header.
 */
export class FrameReader {
  code = 0;
  chunk: Buffer = noBytes;
  start = 0;
  end = 0;
  /** Bytes of the current frame that are still to come after `end`; 0 for a complete frame. */
  remaining = 0;
  /** True while the current frame is handed out in pieces, the last one included. */
  isPart = false;
  /** Takes effect with the next frame that begins. */
  parts = false;
  frameBytesMax: number;

  #pushed: Buffer = noBytes;
  #offset = 0;
  #joined: Buffer = noBytes;
  #joinedBytes = 0;
  #partBytesLeft = 0;

  constructor(options: FrameReaderOptions) {
    this.frameBytesMax = options.frameBytesMax;
  }

  /** Bytes of an incomplete frame that wait for the rest. */
  get pendingBytes(): number {
    return this.#joinedBytes;
  }

  /** Only after `next()` returned false. The reader may look at the chunk until it does again. */
  push(chunk: Buffer): void {
    this.#pushed = chunk;
    this.#offset = 0;
  }

  /** Moves to the next frame; false when more bytes are needed. Throws PgError 08P01. */
  next(): boolean {
    if (this.#joinedBytes > 0 || this.#partBytesLeft > 0) return this.#goOn();
    const chunk = this.#pushed;
    const start = this.#offset;
    const available = chunk.length - start;
    if (available < headerBytes) return this.#keep(headerBytes);
    const frameBytes = this.#frameBytes(chunk, start);
    if (frameBytes > available) {
      return this.#isCut(frameBytes) ? this.#part(frameBytes) : this.#keep(frameBytes);
    }
    this.chunk = chunk;
    this.start = start;
    this.end = start + frameBytes;
    this.#offset = this.end;
    this.remaining = 0;
    this.isPart = false;
    return true;
  }

  /** Takes back what was pushed and not yet handed out, for a change of the transport (TLS). */
  takeRest(): Buffer {
    const rest = Buffer.concat([
      this.#joined.subarray(0, this.#joinedBytes),
      this.#pushed.subarray(this.#offset),
    ]);
    this.#joined = noBytes;
    this.#joinedBytes = 0;
    this.#release();
    return rest;
  }

  #frameBytes(bytes: Buffer, start: number): number {
    const frameBytes = bytes.readInt32BE(start + 1) + 1;
    this.code = bytes[start] as number;
    if (frameBytes < headerBytes || (frameBytes > this.frameBytesMax && !this.#isCut(frameBytes))) {
      throw new PgError(SqlState.protocolViolation, 'invalid message length', {
        severity: 'FATAL',
        detail: `The message has ${frameBytes} bytes; at most ${this.frameBytesMax} are allowed.`,
      });
    }
    return frameBytes;
  }

  #isCut(frameBytes: number): boolean {
    return this.parts && frameBytes > partBytesMin && (this.code === 0x44 || this.code === 0x64);
  }

  #part(frameBytes: number): boolean {
    this.#partBytesLeft = frameBytes;
    return this.#goOn();
  }

  #goOn(): boolean {
    return this.#partBytesLeft > 0 ? this.#nextPart() : this.#join();
  }

  #nextPart(): boolean {
    const available = this.#pushed.length - this.#offset;
    if (available === 0) return this.#release();
    this.chunk = this.#pushed;
    this.start = this.#offset;
    this.end = this.start + Math.min(available, this.#partBytesLeft);
    this.#offset = this.end;
    this.#partBytesLeft -= this.end - this.start;
    this.remaining = this.#partBytesLeft;
    this.isPart = true;
    return true;
  }

  /** Copies from the pushed chunk until the frame begun in `#joined` is complete. */
  #join(): boolean {
    if (this.#joinedBytes < headerBytes && !this.#fill(headerBytes)) return this.#release();
    const frameBytes = this.#frameBytes(this.#joined, 0);
    // The header itself was split: the pieces begin with the copy of it.
    if (this.#joinedBytes === headerBytes && this.#isCut(frameBytes))
      return this.#cutJoined(frameBytes);
    if (!this.#fill(frameBytes)) return this.#release();
    this.chunk = this.#joined;
    this.start = 0;
    this.end = frameBytes;
    this.remaining = 0;
    this.isPart = false;
    this.#joined = noBytes;
    this.#joinedBytes = 0;
    return true;
  }

  #cutJoined(frameBytes: number): boolean {
    this.chunk = this.#joined;
    this.start = 0;
    this.end = headerBytes;
    this.#partBytesLeft = frameBytes - headerBytes;
    this.remaining = this.#partBytesLeft;
    this.isPart = true;
    this.#joined = noBytes;
    this.#joinedBytes = 0;
    return true;
  }

  #keep(wanted: number): boolean {
    if (this.#pushed.length > this.#offset) this.#fill(wanted);
    return this.#release();
  }

  /** True when `#joined` has `wanted` bytes. */
  #fill(wanted: number): boolean {
    const take = Math.min(wanted - this.#joinedBytes, this.#pushed.length - this.#offset);
    const filled = this.#joinedBytes + take;
    if (filled > this.#joined.length) {
      const capacity = Math.min(wanted, Math.max(2 * this.#joined.length, filled, 64));
      const grown = Buffer.allocUnsafeSlow(Math.max(capacity, filled));
      this.#joined.copy(grown, 0, 0, this.#joinedBytes);
      this.#joined = grown;
    }
    this.#pushed.copy(this.#joined, this.#joinedBytes, this.#offset, this.#offset + take);
    this.#joinedBytes = filled;
    this.#offset += take;
    return filled === wanted;
  }

  /** Lets go of the chunk: an idle connection must not pin 64 KB. */
  #release(): false {
    this.chunk = noBytes;
    this.#pushed = noBytes;
    this.#offset = 0;
    this.start = 0;
    this.end = 0;
    return false;
  }
}

/** Larger than a socket read, so that only rows which span several reads are cut. */
export const partBytesMin = 128 * 1024;
