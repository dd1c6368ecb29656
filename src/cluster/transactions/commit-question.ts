import type { NodeId } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';

/** About a COMMIT on one shard whose answer cannot be believed, or did not come. */
export type CommitQuestion = {
  readonly shard: ShardId;
  /** Where it was sent, and of which epoch and start (see ServingIdentity) that primary was. */
  readonly node: NodeId;
  readonly epoch: number;
  readonly startedAt: string;
  /**
   * The transaction's 64-bit ID, as decimal text: what became of it? null: it is committed there, but
   * its wait for a standby was interrupted: is it on the standby?
   */
  readonly xid: string | null;
};
