import type { ShardId } from '../../sharding/shard-id.ts';
import type { GlobalId } from './global-id.ts';

/**
 * What is known about a prepared transaction. `running`: the transaction that decides is open still.
 * `disputed`: another role has decided it, or one was renamed. `unknown`: the shard that decides
 * cannot be asked. Only `committed` and `rolled-back` are acted upon.
 */
export type Verdict = 'committed' | 'rolled-back' | 'running' | 'disputed' | 'unknown';

/** Prepared on some shards for longer than a commit takes. */
export type InDoubtTransaction = {
  readonly id: GlobalId;
  /** The shard whose commit decides; perhaps not one of ours. */
  readonly coordinator: ShardId;
  /** Where it is prepared. */
  readonly shards: readonly ShardId[];
  readonly owner: string;
  readonly ageMs: number;
  readonly verdict: Verdict;
};
