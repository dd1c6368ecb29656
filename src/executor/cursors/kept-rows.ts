import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';

/** Several whole DataRow frames and where each begins. */
type Piece = {
  readonly frames: Buffer;
  readonly starts: readonly number[];
  readonly first: number;
};

/** Bytes of rows that the cursors of one session keep, all together. */
export class KeptRowsRoom {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Throws 53400 when there would be more than the limit says. */
  take(bytes: number, limit: KeptRowsLimit): void {
    if (this.#bytes + bytes > limit.bytesMax) throw tooLarge(limit);
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export type KeptRowsLimit = {
  readonly bytesMax: number;
  /** Of the configuration, where it is said. */
  readonly option: string;
  /** What the rows are kept for, and what to do without. */
  readonly why: string;
  readonly instead: string;
};

/** The rows that a cursor has read, to be read again, or later. */
export class KeptRows {
  readonly #room: KeptRowsRoom;
  #limit: KeptRowsLimit;
  #pieces: Piece[] = [];
  #bytes = 0;
  #count = 0;

  constructor(room: KeptRowsRoom, limit: KeptRowsLimit) {
    this.#room = room;
    this.#limit = limit;
  }

  /** Throws 53400 when there are too many for it already. */
  keepUnder(limit: KeptRowsLimit): void {
    this.#room.take(0, limit);
    this.#limit = limit;
  }

  get count(): number {
    return this.#count;
  }

  /** Copies whole frames. Throws 53400 before it holds too much. */
  add(frames: Buffer): void {
    this.#room.take(frames.length, this.#limit);
    this.#bytes += frames.length;
    const starts: number[] = [];
    for (let at = 0; at < frames.length; at += 1 + frames.readUInt32BE(at + 1)) starts.push(at);
    this.#pieces.push({ frames: Buffer.from(frames), starts, first: this.#count });
    this.#count += starts.length;
  }

  /** `count` rows from number `from` (from 0) on, in their order, some whole frames at a time. */
  *forward(from: number, count: number): Generator<Buffer, void> {
    for (const { frames, starts, first } of this.#pieces) {
      const begin = Math.max(0, from - first);
      const end = Math.min(starts.length, from + count - first);
      if (begin < end) yield frames.subarray(starts[begin], starts[end] ?? frames.length);
    }
  }

  /** The same rows, the last one first. */
  *backward(from: number, count: number): Generator<Buffer, void> {
    for (const { frames, starts, first } of [...this.#pieces].reverse()) {
      const begin = Math.max(0, from - first);
      const end = Math.min(starts.length, from + count - first);
      const rows: Buffer[] = [];
      for (let row = end - 1; row >= begin; row -= 1) {
        rows.push(frames.subarray(starts[row], starts[row + 1] ?? frames.length));
      }
      if (rows.length > 0) yield Buffer.concat(rows);
    }
  }

  clear(): void {
    this.#room.give(this.#bytes);
    this.#bytes = 0;
    this.#pieces = [];
    this.#count = 0;
  }
}

function tooLarge({ bytesMax, option, why, instead }: KeptRowsLimit): PgError {
  return new PgError(
    SqlState.configurationLimitExceeded,
    `the rows kept for ${why} need more than ${option} (${bytesMax} bytes)`,
    { hint: `${instead}, select fewer rows or columns, or raise ${option}.` },
  );
}
