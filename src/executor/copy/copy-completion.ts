import type { CopyDefaults } from '../../planner/copy/copy-plan.ts';

/** Columns of a COPY whose values one server computes for all. */
export type CopyCompletion = {
  readonly defaults: CopyDefaults;
  readonly isBinary: boolean;
  /** Values of the next row that waits, or of all rows to come: valid in the call. Throws 0A000, 53400. */
  give(values: readonly (Buffer | null)[]): void;
  /** When the values differ from row to row all rows wait until the last one is here. */
  readonly waiting: WaitingRows | null;
};

export type WaitingRows = {
  readonly rowCount: number;
  /** Sends some of them, each with its values. False: all have been sent. */
  send(): boolean;
};
