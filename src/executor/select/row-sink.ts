import type { PgError } from '../../base/pg-error.ts';

/**
 * Where a merged result goes: the client's result writer. Frames are complete backend messages in
 * the formats the client asked for. The caller stops producing while `writable` is false and goes
 * on in onDrain's callback.
 */
export type RowSink = {
  /** RowDescription ('T'), once, before any row, only when it was asked for. */
  description(frame: Buffer): void;
  /** One or more DataRow frames; the sink owns the buffer. */
  rows(frames: Buffer, count: number): void;
  readonly writable: boolean;
  onDrain(callback: () => void): void;
  /** A NoticeResponse of a shard, byte for byte. Copy what must outlive the call. */
  notice(frame: Buffer): void;
  /** The row limit of a fetch is reached and more rows may follow. */
  suspended(): void;
  /** The end; rows of this fetch included in the count of `rows`. */
  complete(): void;
  /** The end: a shard's own ErrorResponse byte for byte, or an error of ours. */
  failed(error: PgError | { readonly frame: Buffer }): void;
};
