import type { CopyField } from './copy-format.ts';

/**
 * What is found in a stream of COPY data. Bytes are valid in the call. A row comes as one `row`, or,
 * when it is long, as the beginning of it and `more` of it up to the last one.
 */
export type CopyRowVisitor = {
  /** What stands before the rows: HEADER with its `lines`, or the head of the binary format. */
  head(bytes: Buffer, start: number, end: number, lines: number): void;
  /**
   * `lines` is how many lines the row counts for in messages, `key` the field that was asked for.
   * Not `isWhole`: `more` follows, and `lines` is still to come.
   */
  row(bytes: Buffer, start: number, end: number, row: FoundRow): void;
  more(bytes: Buffer, start: number, end: number, row: Omit<FoundRow, 'key'>): void;
};

export type FoundRow = {
  readonly key: CopyField;
  readonly lines: number;
  readonly isWhole: boolean;
};

/**
 * Finds the rows of COPY data that come in pieces of any size. `push` and `finish` throw PgError
 * 22P04 for what makes it unclear where rows end, and 54000 when a row is too long to look for its
 * key; then nothing more may be pushed.
 */
export type CopyRowReader = {
  push(bytes: Buffer, start: number, end: number): void;
  /** The client has ended its data. */
  finish(): void;
  /** The line that is being read, as PostgreSQL counts: from 1, HEADER included. */
  readonly line: number;
  /** For the end of every part that the data are cut into; empty but for the binary format. */
  readonly trailer: Buffer;
};

/** A row of which so much has come is passed on when its key is known. */
export const longRowBytes = 64 * 1024;
