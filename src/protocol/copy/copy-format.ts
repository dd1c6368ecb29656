/**
 * How the rows of COPY are written, as far as their ends and their fields depend on it. Bytes are in
 * an encoding whose other characters have no bytes below 0x80. Source: PostgreSQL manual, COPY.
 */
export type CopyFormat =
  | ({ readonly kind: 'text' } & TextMarks)
  | ({
      readonly kind: 'csv';
      readonly quote: number;
      readonly escape: number;
    } & TextMarks)
  | { readonly kind: 'binary' };

export type TextMarks = {
  readonly delimiter: number;
  /** What stands for NULL, before anything is unescaped. */
  readonly nullText: Buffer;
  /** What stands for a column's default; null: nothing does. */
  readonly defaultText: Buffer | null;
  /** The first line is no row. */
  readonly hasHeader: boolean;
};

/** FORCE_NOT_NULL and FORCE_NULL of one column. */
export type ForcedNulls = { readonly notNull: boolean; readonly null: boolean };

/**
 * One field of a row, its bytes unescaped: a view, valid as long as the row is. `missing`: the row
 * ends before it; `broken`: a server will say what is wrong with the row.
 */
export type CopyField =
  | { readonly kind: 'value'; readonly bytes: Buffer }
  | { readonly kind: 'null' }
  | { readonly kind: 'default' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'broken' };

/** Shared, so that rows without a value cost nothing. */
export const noValue = {
  null: { kind: 'null' },
  default: { kind: 'default' },
  missing: { kind: 'missing' },
  broken: { kind: 'broken' },
} as const satisfies { readonly [kind: string]: CopyField };
