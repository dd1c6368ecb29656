import type { Plan } from '../../planner/plan.ts';
import type { StatementValues } from '../../planner/statement-values.ts';
import type { WriteTarget } from '../target.ts';

/** The statement that is run, as its client sent it. */
export type WriteRun = {
  readonly target: WriteTarget;
  readonly command: Extract<Plan, { readonly kind: 'modify' }>['command'];
  readonly statementText: string;
  literalText(slot: number): string;
  readonly values: StatementValues;
  readonly resultFormats: readonly number[];
  readonly wantsDescription: boolean;
  /** Without RETURNING that is NoData. */
  readonly describesPortal: boolean;
  /** Hears the key of the last row, if it was computed. */
  keyGiven(value: string): void;
};
