import type { Block } from './block.ts';
import type { PlanNode, Reject } from './plan.ts';
import { refuse } from './refuse.ts';
import type { SelectTree } from './select-tree.ts';
import type { StatementContext } from './statement-context.ts';

const oneKey = 'Restrict every distributed table in it to one key.';

/** The steps above the shards that make one answer of theirs, or why there are none. */
export function multiShardSelect(
  context: StatementContext,
  block: Block,
  tree: SelectTree,
): PlanNode | Reject {
  if (context.multiRefusal !== null) return context.multiRefusal;
  if (block.shape !== 'partitioned' || !tree.allSlotsFound) {
    return refuse('this SELECT is not supported across shards', oneKey);
  }
  return refuse('SELECT across shards is not supported', oneKey);
}
