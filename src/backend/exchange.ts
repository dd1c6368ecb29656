import type { PgError } from '../base/pg-error.ts';

/** ReadyForQuery's I, T, E. */
export type TransactionStatus = 'idle' | 'in-transaction' | 'failed';

/**
 * One request in the FIFO of a server connection, from its first message to its last
 * ReadyForQuery. Answers come strictly in the order of sending. Callbacks must not throw.
 */
export type Exchange = {
  /** How many ReadyForQuery end it: 1 for a simple query or for one Sync. */
  readonly readyCount: number;
  /**
   * A complete frame, code and length included, at `chunk[start, end)`: valid in this call and, as
   * part of a range, until `onChunkEnd`. Never ReadyForQuery (see onReady) and never
   * NotificationResponse. ParameterStatus is passed while the exchange is at the head.
   */
  onFrame(code: number, chunk: Buffer, start: number, end: number): void;
  /**
   * Optional: takes a DataRow or CopyData that is longer than a socket read (`partBytesMin`) piece
   * by piece, so that relaying it needs no memory for the whole of it: pieces in order, the first
   * one begins with code and length, `remaining` bytes follow. Valid as a frame is. Without it such
   * a row is assembled, and one above the connection's limit ends the connection: onLost 54000.
   */
  onFramePart?(code: number, chunk: Buffer, start: number, end: number, remaining: number): void;
  /**
   * No more frames of this exchange in this chunk, or ReadyForQuery comes next: write out or copy
   * what was collected. Only after frames.
   */
  onChunkEnd(): void;
  /** `remaining` 0 ends the exchange: the connection has already moved on to the next one. */
  onReady(status: TransactionStatus, remaining: number): void;
  /** The connection ended first. Called once, instead of everything that was still to come. */
  onLost(error: PgError): void;
};
