/** SQL cursors. They share their names with the portals of the protocol. */
export type CursorCommand =
  | {
      readonly kind: 'declare';
      readonly name: string;
      readonly binary: boolean;
      /** It outlives its transaction. */
      readonly hold: boolean;
      readonly scroll: 'scroll' | 'no-scroll' | 'unspecified';
      /** The query as written, and where it begins in the statement (UTF-16). */
      readonly queryText: string;
      readonly queryStart: number;
    }
  | {
      readonly kind: 'fetch';
      readonly name: string;
      /** `relative` and `absolute` read one row, the `count`-th from here or from the start. */
      readonly direction: 'forward' | 'backward' | 'absolute' | 'relative';
      /** May be negative. Infinity: ALL. */
      readonly count: number;
      readonly move: boolean;
    }
  /** `name` null: ALL. */
  | { readonly kind: 'close'; readonly name: string | null };
