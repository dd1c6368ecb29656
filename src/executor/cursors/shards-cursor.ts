import type { CursorPlace } from './cursor-walk.ts';

/** A portal of Bind over several shards, for MOVE. */
export type MovedPortal = Pick<ShardsCursor, 'place' | 'hasFailed' | 'fail'> & {
  /** As `advance`, of rows that nobody sees. */
  move(count: number, done: (rows: number | null) => void): void;
};

/** An open cursor over several shards. */
export type ShardsCursor = {
  readonly place: CursorPlace;
  /** What FETCH of the simple protocol gives: 0 text, 1 binary. */
  readonly format: 0 | 1;
  /** It was declared SCROLL: it goes back, and from the start again, too. */
  readonly scrolls: boolean;
  /** Reading it has failed: it cannot be used any more. */
  readonly hasFailed: boolean;
  /** It was read as it cannot be: PostgreSQL lets nobody use it after that. */
  fail(): void;
  /** Whether its rows are in the formats that a Bind asks for. */
  gives(resultFormats: readonly number[]): boolean;
  /** RowDescription in these formats. */
  description(...resultFormats: readonly number[]): Buffer;
  /**
   * Reads `count` rows (Infinity: all that are left), which the client gets when they are shown.
   * `done` hears how many there were, or null when the client has been told of an error.
   */
  advance(count: number, isShown: boolean, done: (rows: number | null) => void): void;
  /** Likewise, the rows before the current one, the last first; it cannot fail. */
  goBack(count: number, isShown: boolean, done: (rows: number) => void): void;
  /** To before the first row. */
  rewind(): void;
  /** Rows that it keeps were written under other settings than the session has now. */
  readonly textHasChanged: boolean;
  /**
   * Before COMMIT, for one declared WITH HOLD: reads the rows that are left, and keeps them.
   * `done(false)`: the client has been told why not.
   */
  hold(done: (ok: boolean) => void): void;
  close(): void;
};
