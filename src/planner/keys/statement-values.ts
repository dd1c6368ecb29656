import type { Literal } from '../../sql/lexed-statement.ts';

/** Where the values of one execution come from. Nothing is decoded until it is asked for. */
export type StatementValues = {
  /** The query string that the literals' offsets refer to. */
  readonly text: string;
  readonly literals: readonly Literal[];
  /** Declared in Parse; 0, or none at that place, is unspecified. */
  readonly typeOids: readonly number[];
  /** As in Bind: none (all text), one for all, or one per value. 0 text, 1 binary. */
  readonly formats: readonly number[];
  readonly values: readonly (Buffer | null)[];
  /** The session's TimeZone setting; null when it is not known. */
  readonly timeZone: string | null;
};
