import type { Row } from './row.ts';

/**
 * `row`: the next row is in `row`. `pending`: not yet known; the owner of the streams is told when
 * to ask again. `end`: no more rows, and the same answer for ever.
 */
export type Advance = 'row' | 'pending' | 'end';

/**
 * An operator: pulled by the one above, row by row, without promises. `advance` throws only a
 * PgError, which ends the whole statement.
 */
export type RowSource = {
  advance(): Advance;
  /** Valid after advance() returned `row`, until the next advance(); its bytes for ever. */
  readonly row: Row;
};
