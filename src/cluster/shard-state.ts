import type { NodeId } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';

/**
 * What the supervisor tells the workers about a shard. `primary` null: statements are held (no
 * primary yet, or one is being replaced). A change of `primary` or `epoch` cuts every connection
 * of the old one.
 */
export type ShardState = {
  readonly shard: ShardId;
  readonly epoch: number;
  readonly primary: NodeId | null;
  /** In recovery, streaming and of the same epoch. */
  readonly standbys: readonly NodeId[];
  /** For the error when waiting ends, e.g. `promoting 127.0.0.1:5433`. */
  readonly reason: string;
};
