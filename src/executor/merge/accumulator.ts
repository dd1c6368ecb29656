import type { Row } from './row.ts';

/** 0 text, 1 binary, as in Bind. */
export type Format = 0 | 1;

/** One output column of an aggregate, folded over the rows of one group. */
export type Accumulator = {
  /** Begins a group with its first row, or a group of no rows. */
  begin(first: Row | null): void;
  /** Takes every row of the group in, the first included. Throws PgError 22003 on overflow. */
  add(row: Row): void;
  /** The client's value in the client's format; null is NULL. */
  result(): Buffer | null;
  /** The same value in binary, for a sort above. */
  sortValue(): Buffer | null;
  /** Type of `sortValue`. */
  readonly typeOid: number;
};
