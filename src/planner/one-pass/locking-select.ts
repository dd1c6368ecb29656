import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import type { Analysis } from '../analysis.ts';
import type { BlockTraits } from '../block-traits.ts';
import { routingOf } from '../keys/routing-of.ts';
import type { MultiShardPlan, Reject, Routing } from '../plan.ts';
import { refuse } from '../refuse.ts';
import { multiShardSelect } from './multi-shard-select.ts';
import { returnsSets } from './rows-of-shards.ts';

type LockingNode = Extract<SqlNode, { LockingClause: unknown }>['LockingClause'];

const strengths: { readonly [strength: string]: string } = {
  LCS_FORKEYSHARE: 'FOR KEY SHARE',
  LCS_FORSHARE: 'FOR SHARE',
  LCS_FORNOKEYUPDATE: 'FOR NO KEY UPDATE',
  LCS_FORUPDATE: 'FOR UPDATE',
};

/** SELECT ... FOR UPDATE and its kin: each shard locks those of its rows that the client gets. */
export function lockingSelect(analysis: Analysis): MultiShardPlan | Reject {
  const { context, block, select } = analysis;
  const refusal = context.neverMulti ?? context.multiRefusal ?? refusedLock(analysis);
  if (refusal !== null) return refusal;
  if (select.limitCount !== undefined || select.limitOffset !== undefined) {
    // Every shard would lock as many; with SKIP LOCKED the others would be hidden from everybody.
    return refuse(
      `${clauseOf(select)} with LIMIT or OFFSET is not supported across shards`,
      'Leave LIMIT out, or restrict the statement to one key.',
    );
  }
  const root = multiShardSelect(context, block);
  if (root.kind === 'reject') return root;
  return {
    kind: 'multi-shard',
    intermediate: [],
    last: { kind: 'routed', routing: routingOf(context), root },
    otherPaths: [],
  };
}

/** All sessions must lock the same copy of a reference table. */
export function lockRouting(routing: Routing): Routing {
  return routing.kind === 'any' ? { kind: 'home', anywhere: false } : routing;
}

/** In PostgreSQL's words and order (analyze.c, CheckSelectLocking), then ours. */
function refusedLock({ context, block, select }: Analysis): Reject | null {
  const clause = clauseOf(select);
  if (block.body.kind === 'values') return refuse(`${clause} cannot be applied to VALUES`);
  if (block.body.kind === 'set-operation') {
    return refuse(`${clause} is not allowed with UNION/INTERSECT/EXCEPT`);
  }
  const what = notAllowed(select, block.body.traits);
  if (what !== null) return refuse(`${clause} is not allowed with ${what}`);
  if (context.usesReference && !locksNoReference(context.leaves, select)) {
    return refuse(
      `${clause} of reference tables is not supported across shards`,
      'Each shard has its own copy: name the distributed tables in FOR UPDATE OF.',
    );
  }
  return null;
}

function notAllowed(select: SelectNode, traits: BlockTraits): string | null {
  if ((select.distinctClause ?? []).length > 0) return 'DISTINCT clause';
  if ((select.groupClause ?? []).length > 0) return 'GROUP BY clause';
  if (select.havingClause !== undefined) return 'HAVING clause';
  if (traits.aggregation !== 'none') return 'aggregate functions';
  if (traits.windows !== 'none') return 'window functions';
  return returnsSets(select.targetList) ? 'set-returning functions in the target list' : null;
}

function locksNoReference(leaves: Analysis['context']['leaves'], select: SelectNode): boolean {
  const locked = clausesOf(select).map(({ lockedRels = [] }) => lockedRels);
  if (locked.some((names) => names.length === 0)) return false;
  return locked.flat().every((node) => {
    const name = 'RangeVar' in node ? node.RangeVar.relname : undefined;
    const named = leaves.filter(({ alias }) => alias === name);
    return named.length > 0 && named.every(({ instance }) => instance !== null);
  });
}

function clauseOf(select: SelectNode): string {
  return strengths[clausesOf(select)[0]?.strength ?? ''] ?? 'FOR UPDATE';
}

function clausesOf({ lockingClause = [] }: SelectNode): readonly LockingNode[] {
  return lockingClause.flatMap((node) => ('LockingClause' in node ? [node.LockingClause] : []));
}
