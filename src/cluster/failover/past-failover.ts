import type { NodeId } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { FailoverCheck } from './failover-check.ts';
import type { FailoverJournal } from './failover-journal.ts';

/** A change of a primary as it is remembered: durations instead of times of one supervisor's clock. */
export type PastFailover = {
  readonly shard: ShardId;
  readonly cause: FailoverJournal['cause'];
  readonly from: NodeId;
  readonly to: NodeId;
  readonly epoch: number;
  /** When statements flowed again: milliseconds since 1970. */
  readonly openedAt: number;
  /** From the first suspicion, milliseconds. */
  readonly confirmedMs: number;
  readonly claimedMs: number;
  readonly promotedMs: number;
  /** How long statements were held. */
  readonly openedMs: number;
  readonly reason: string;
  readonly findings: readonly string[];
  /** null: not looked at yet, or replaced again before. */
  readonly check: FailoverCheck | null;
};

export function pastFailover(entry: FailoverJournal, wallTime: number): PastFailover {
  const { shard, cause, from, to, epoch, reason, findings } = entry;
  const since = (at: number) => Math.max(0, Math.round(at - entry.suspectedAt));
  return {
    shard,
    cause,
    from,
    to,
    epoch,
    openedAt: wallTime,
    confirmedMs: since(entry.confirmedAt),
    claimedMs: since(entry.claimedAt),
    promotedMs: since(entry.promotedAt),
    openedMs: since(entry.openedAt),
    reason,
    findings,
    check: null,
  };
}
