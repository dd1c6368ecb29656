import type { PgError } from '../base/pg-error.ts';
import type { PlanNode } from '../planner/plan.ts';
import type { ShardId } from '../sharding/shard-id.ts';

/** Where a statement goes, now that its values are known. */
export type Target =
  | { readonly kind: 'shard'; readonly shard: ShardId; readonly write: boolean }
  | {
      readonly kind: 'multi-shard';
      readonly shards: readonly ShardId[];
      readonly root: PlanNode;
    }
  | { readonly kind: 'error'; readonly error: PgError };
