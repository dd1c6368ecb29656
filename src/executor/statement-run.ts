import type { PlannedStatement } from './planned-statement.ts';
import type { BoundParameters } from './select/multi-shard-select.ts';
import type { KeptReturning } from './write/kept-returning.ts';

/** A statement to be answered as the simple protocol does: rows with their description. */
export type StatementRun = {
  readonly planned: PlannedStatement;
  readonly parameters: BoundParameters;
  /** Of a list: blanks up to its place in it, so that error positions are right. */
  readonly padding: string;
  /** False in the extended protocol, where Describe has been answered before. */
  readonly describe: boolean;
  /** Describe of a portal is answered together with its Execute: NoData where there are no rows. */
  readonly describesPortal?: boolean;
  /** Of what EXECUTE names: the statement's name on every server. */
  readonly serverName?: string;
  /** Not under a name: its text and values go in messages of the extended protocol. */
  readonly isBound?: boolean;
  /** What a write over several shards returns goes there, and the caller ends the answer. */
  readonly returning?: KeptReturning;
  /** Of Bind; the simple protocol has none. */
  readonly resultFormats: readonly number[];
};

export const noParameters: BoundParameters = { typeOids: [], formats: [], values: [] };
