import { PgError } from '../../base/pg-error.ts';
import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { limitOfShards, limitRefs } from '../one-pass/limit-refs.ts';
import type { StatementContext } from '../statement-context.ts';
import { without } from '../tree-builders.ts';

/**
 * The LIMIT for each shard's own rows in the query's order, for the LIMIT and OFFSET above. null
 * where there is none that is known before the query runs. It serves WITH TIES too: every row that
 * ties with the last one above ties with, or comes before, the last one of its shard.
 */
export function shardLimit(context: StatementContext, select: SelectNode): SqlNode | null {
  try {
    return limitOfShards(select, limitRefs(context, without(select, 'limitOption')));
  } catch (error) {
    // A computed or negative one: the query over all rows computes or refuses it.
    if (error instanceof PgError) return null;
    throw error;
  }
}
