import type { ServerConnection } from '../../backend/server-connection.ts';
import type { ShardId } from '../../sharding/shard-id.ts';

/** A shard that the transaction has begun on. */
export type Participant = {
  readonly shard: ShardId;
  readonly connection: ServerConnection;
  wrote: boolean;
  /** It holds row locks, which other shards' changes may depend on. */
  locked: boolean;
  /** It was asked for rows, so that its snapshot counts. */
  asked: boolean;
};
