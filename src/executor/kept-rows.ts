import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';

/** Several whole DataRow frames and where each begins. */
type Piece = {
  readonly frames: Buffer;
  readonly starts: readonly number[];
  readonly first: number;
};

/** The rows that a cursor has read, to be read again. */
export class KeptRows {
  readonly #bytesMax: number;
  #pieces: Piece[] = [];
  #bytes = 0;
  #count = 0;

  /** `bytesMax`: limits.gather_bytes_max. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  /** Copies whole frames. Throws 53400 before it holds too much. */
  add(frames: Buffer): void {
    this.#bytes += frames.length;
    if (this.#bytes > this.#bytesMax) throw tooLarge(this.#bytesMax);
    const starts: number[] = [];
    for (let at = 0; at < frames.length; at += 1 + frames.readUInt32BE(at + 1)) starts.push(at);
    this.#pieces.push({ frames: Buffer.from(frames), starts, first: this.#count });
    this.#count += starts.length;
  }

  /** `count` rows from number `from` (from 0) on, in their order. */
  forward(from: number, count: number): Buffer {
    const parts: Buffer[] = [];
    for (const { frames, starts, first } of this.#pieces) {
      const begin = Math.max(0, from - first);
      const end = Math.min(starts.length, from + count - first);
      if (begin < end) parts.push(frames.subarray(starts[begin], starts[end] ?? frames.length));
    }
    return Buffer.concat(parts);
  }

  /** The same rows, the last one first. */
  backward(from: number, count: number): Buffer {
    const rows: Buffer[] = [];
    const frames = this.forward(from, count);
    for (let at = 0; at < frames.length; ) {
      const end = at + 1 + frames.readUInt32BE(at + 1);
      rows.push(frames.subarray(at, end));
      at = end;
    }
    return Buffer.concat(rows.reverse());
  }

  clear(): void {
    this.#pieces = [];
    this.#count = 0;
  }
}

function tooLarge(bytesMax: number): PgError {
  return new PgError(
    SqlState.configurationLimitExceeded,
    `the rows kept for a SCROLL cursor need more than limits.gather_bytes_max (${bytesMax} bytes)`,
    {
      hint: 'Declare it NO SCROLL, select fewer rows or columns, or raise limits.gather_bytes_max.',
    },
  );
}
