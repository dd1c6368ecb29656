import type { PgError } from '../base/pg-error.ts';
import type { PlanNode, ShardQuery, WriteStep } from '../planner/plan.ts';
import type { Distribution } from '../sharding/distribution.ts';
import type { ShardId } from '../sharding/shard-id.ts';

/** Where a statement goes, now that its values are known. */
export type Target =
  | { readonly kind: 'shard'; readonly shard: ShardId; readonly write: boolean }
  | {
      readonly kind: 'multi-shard';
      /** To be collected first, in this order; see MultiShardPlan. */
      readonly intermediate: readonly IntermediateRun[];
      /** Where the queries of `root` run: one at least. */
      readonly shards: readonly ShardId[];
      readonly root: PlanNode;
      /** They lock rows, or more: the transaction depends on each of them. */
      readonly locks: boolean;
      /** They read nothing but intermediate results and reference tables: any shard could run them. */
      readonly runsAnywhere: boolean;
      /** They read nothing but intermediate results: any server could, also one of no shard. */
      readonly combines: boolean;
      /** A shard that has all the tables of the client's statement, so that it can describe it. */
      readonly describedOn: ShardId;
    }
  | WriteTarget
  | { readonly kind: 'error'; readonly error: PgError };

/** A write over several shards. */
export type WriteTarget = {
  readonly kind: 'write';
  readonly step: WriteStep;
  /** To be collected first, in this order; the last one may be the image that the write makes. */
  readonly intermediate: readonly IntermediateRun[];
  /** Where it is done, in map order; all that may own a row when that is not known yet. */
  readonly shards: readonly ShardId[];
  /** Of the rows; null when they have no keys. */
  readonly distribution: Distribution | null;
  /** It has every table of the statement, and computes what is computed once. */
  readonly home: ShardId;
  readonly isUnconditional: boolean;
  /** It has RETURNING. */
  readonly returnsRows: boolean;
  /** See MultiShardWrite. */
  readonly changesRows: boolean;
};

/** How the rows of an intermediate result are had. */
export type IntermediateRun = {
  readonly columns: readonly string[];
  readonly shards: readonly ShardId[];
  readonly root: PlanNode;
  /** As in Target. */
  readonly combines: boolean;
  /** As one query, which describes the result wherever all its tables are. */
  readonly whole: ShardQuery;
};
