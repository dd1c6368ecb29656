import type { StatementValues } from '../../planner/keys/statement-values.ts';
import type { WriteTarget } from '../target.ts';
import type { KeptReturning } from './kept-returning.ts';
import type { WriteCommand } from './write-tag.ts';

/** The statement that is run, as its client sent it. */
export type WriteRun = {
  readonly target: WriteTarget;
  readonly command: WriteCommand;
  readonly statementText: string;
  literalText(slot: number): string;
  readonly values: StatementValues;
  readonly resultFormats: readonly number[];
  readonly wantsDescription: boolean;
  /** Without RETURNING that is NoData. */
  readonly describesPortal: boolean;
  /** Gets the rows of RETURNING, and the client neither them nor the tag; null: it does. */
  readonly returning: KeptReturning | null;
  /** Hears the key of the last row, if it was computed. */
  keyGiven(value: string): void;
};
