import type { PrimaryIdentity } from '../../backend/primary-identity.ts';
import type { NodeId } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';

/**
 * What the supervisor tells the workers about a shard. `primary` null: statements are held (no
 * primary yet, or one is being replaced). A change of `primary` or `epoch` cuts every connection
 * of the old one.
 */
export type ShardState = {
  readonly shard: ShardId;
  readonly epoch: number;
  readonly primary: NodeId | null;
  /** The one that is about to become primary: workers log in there already. null: none is. */
  readonly heir: NodeId | null;
  /** In recovery, streaming and of the same epoch. */
  readonly standbys: readonly NodeId[];
  /** What the last open primary must prove on each connection; null before the first. */
  readonly identity: ServingIdentity | null;
  /** For the error when waiting ends, e.g. `promoting 127.0.0.1:5433`. */
  readonly reason: string;
};

export type ServingIdentity = PrimaryIdentity & {
  /** See ProbeAnswer: another value means that no session of before lives on. */
  readonly startedAt: string;
};
