import type { NodeId } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';

/** How a shard is some seconds after its primary was replaced. */
export type FailoverCheck = {
  /** From the first suspicion to the first write of our own that was acknowledged; null: none was. */
  readonly firstCommitMs: number | null;
  /** Those that receive from the new primary. */
  readonly streaming: readonly NodeId[];
  readonly durability: string;
  /** How long statements waited for it: see HoldTimes. */
  readonly holds: readonly number[];
  /** How many of the errors clients got that mean a lost server, by SQLSTATE. */
  readonly errors: { readonly [sqlState: string]: number };
  /** What is still to be done, or wrong, in words; empty: nothing. */
  readonly left: readonly string[];
};

/** A check that is due. Times are Clock.now(). */
export type Verification = {
  readonly epoch: number;
  readonly suspectedAt: number;
  readonly openedAt: number;
  readonly firstCommitAt: number | null;
};

/** Of the last journal entry of the shard and epoch. */
export type CheckedFailover = {
  readonly shard: ShardId;
  readonly epoch: number;
  readonly check: FailoverCheck;
};
