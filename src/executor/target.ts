import type { PgError } from '../base/pg-error.ts';
import type {
  EveryShard,
  MultiShardPlan,
  PlanNode,
  ShardQuery,
  WritePart,
  WriteStep,
} from '../planner/plan.ts';
import type { Distribution } from '../sharding/distribution.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { PathChoice } from './intermediate/path-choices.ts';

/** Where a statement goes, now that its values are known. */
export type Target =
  | { readonly kind: 'shard'; readonly shard: ShardId; readonly write: boolean }
  | (PathRun & {
      readonly kind: 'multi-shard';
      /** They lock rows, or more: the transaction depends on each of them. */
      readonly locks: boolean;
      /** A shard that has all the tables of the client's statement, so that it can describe it. */
      readonly describedOn: ShardId;
      /** null: the plan has one path only. */
      readonly choice: PathQuestion | { readonly kind: 'made'; readonly choice: PathChoice } | null;
    })
  | WriteTarget
  | UtilityTarget
  | { readonly kind: 'error'; readonly error: PgError };

export type MultiShardTarget = Extract<Target, { readonly kind: 'multi-shard' }>;

/** A path of a multi-shard plan, with its shards. */
export type PathRun = {
  /** To be collected first, in this order; see MultiShardPath. */
  readonly intermediate: readonly IntermediateRun[];
  /** Where the queries of `root` run: one at least. */
  readonly shards: readonly ShardId[];
  readonly root: PlanNode;
  /** They read nothing but intermediate results and reference tables: any shard could run them. */
  readonly runsAnywhere: boolean;
  /** They read nothing but intermediate results: any server could, also one of no shard. */
  readonly combines: boolean;
};

/** Servers must be asked which of the plan's paths is taken; until then it is its own, the first. */
export type PathQuestion = {
  readonly kind: 'open';
  readonly plan: MultiShardPlan;
  readonly paths: readonly PathRun[];
};

/** A step of a write, with its shards. */
export type StepRun = {
  readonly step: WriteStep;
  /** Where it is done, in map order; all that may own a row when that is not known yet. */
  readonly shards: readonly ShardId[];
  /** Of the rows; null when they have no keys. */
  readonly distribution: Distribution | null;
};

export type PartRun =
  | Extract<WritePart, { readonly kind: 'query' }>
  | (Extract<WritePart, { readonly kind: 'write' }> & StepRun);

/** A write over several shards. */
export type WriteTarget = StepRun & {
  readonly kind: 'write';
  /** Of its WITH, done before. */
  readonly before: readonly PartRun[];
  /** To be collected first, in this order; the last one may be the image that the write makes. */
  readonly intermediate: readonly IntermediateRun[];
  /** It has every table of the statement, and computes what is computed once. */
  readonly home: ShardId;
  readonly isUnconditional: boolean;
  /** It has RETURNING. */
  readonly returnsRows: boolean;
  /** See MultiShardWrite. */
  readonly changesRows: boolean;
};

/** A utility statement on every shard. */
export type UtilityTarget = {
  readonly kind: 'utility';
  /** One at least; the home shard first, if it is one of them. */
  readonly shards: readonly ShardId[];
  readonly home: ShardId;
  readonly how: EveryShard['how'];
  readonly elsewhere: ShardQuery;
  readonly changesSchema: boolean;
  /** What to do when it has been done on some shards and not on others. */
  readonly remedy: string;
};

/** How the rows of an intermediate result are had. */
export type IntermediateRun = {
  readonly columns: readonly string[];
  readonly shards: readonly ShardId[];
  readonly root: PlanNode;
  /** As in Target. */
  readonly combines: boolean;
  /** As in IntermediateResult. */
  readonly advances: boolean;
  /** As one query, which describes the result wherever all its tables are. */
  readonly whole: ShardQuery;
};
