import type { SelectNode } from '../sql/ast.ts';
import { queryBlocks } from './analyze-write.ts';
import type { Block } from './block.ts';
import { StatementContext, type StatementSource } from './statement-context.ts';
import { noteStatementFacts } from './statement-facts.ts';

/** A query with what has been found out about it. */
export type Analysis = {
  readonly context: StatementContext;
  readonly select: SelectNode;
  readonly block: Block;
  /** Nothing in it can write or lock. */
  readonly isHarmless: boolean;
};

/** Throws what no server may run. `select` is the client's, or made of its parts. */
export function analyze(source: StatementSource, select: SelectNode): Analysis {
  const { statement } = source;
  const isClients = 'SelectStmt' in statement && statement.SelectStmt === select;
  const context = new StatementContext(source, isClients ? statement : { SelectStmt: select });
  const isHarmless = noteStatementFacts(context, { SelectStmt: select });
  const block = queryBlocks.select(context, select, null, null);
  return { context, select, block, isHarmless: isHarmless && !context.writes };
}
