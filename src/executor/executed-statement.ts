import type { PlannedStatement } from './planned-statement.ts';
import type { BoundParameters } from './select/multi-shard-select.ts';

/** A statement that has been run, with its values. */
export type ExecutedStatement = {
  readonly planned: PlannedStatement;
  readonly parameters: BoundParameters;
};
