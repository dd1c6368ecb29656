import type { NodeId } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';

/** One change of a shard's primary; all times are Clock.now() milliseconds of the supervisor. */
export type FailoverJournal = {
  readonly shard: ShardId;
  readonly cause: 'failure' | 'operator' | 'reopened' | 'found';
  readonly from: NodeId;
  readonly to: NodeId;
  readonly epoch: number;
  /** Statements are held from here on. */
  readonly suspectedAt: number;
  readonly confirmedAt: number;
  /** The claim was durable. */
  readonly claimedAt: number;
  readonly promotedAt: number;
  /** Statements flow again. */
  readonly openedAt: number;
  /** Why the primary was replaced. */
  readonly reason: string;
  /** What was found wrong afterwards; empty: everything that was acknowledged is there. */
  readonly findings: readonly string[];
};
