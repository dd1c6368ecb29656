import type { Mode } from './fragment.ts';
import type { Query } from './query.ts';

export type Step = { readonly query: Query; readonly mode: Mode };

/** What runs as one: a statement, or a transaction statement by statement. */
export type Scenario = {
  /** The construct it exercises; refusals are counted by it. */
  readonly construct: string;
  /** `answered`: a refusal is a failure too. `either`: an equal answer or a clean refusal. */
  readonly expectation: 'answered' | 'either';
  /** Nothing else may run beside it: it changes rows. */
  readonly alone: boolean;
  /** Index of the session that runs it. */
  readonly session: number;
  readonly steps: readonly Step[];
};
