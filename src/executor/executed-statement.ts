import type { BoundParameters } from './multi-shard-select.ts';
import type { PlannedStatement } from './planned-statement.ts';

/** A statement that has been run, with its values. */
export type ExecutedStatement = {
  readonly planned: PlannedStatement;
  readonly parameters: BoundParameters;
};
