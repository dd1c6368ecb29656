import type { ServerConnection } from '../backend/server-connection.ts';
import type { SequenceAdvance } from '../planner/sequence-calls.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { ReplyScript } from './reply-script.ts';
import type { ShardTraffic } from './shard-traffic.ts';

/** Messages for one shard that end in one ReadyForQuery. */
export type Flight = {
  readonly shard: ShardId;
  readonly write: boolean;
  /** See ConnectionRequest. */
  readonly rowless?: boolean;
  /** The session keeps the connection from here on. Not with `traffic`. */
  readonly reserves?: boolean;
  /** To be taken down when it has succeeded. */
  readonly advances?: SequenceAdvance | null;
  readonly traffic: ShardTraffic | null;
  /** It may run in a block of its own: rows are written and read, nothing else. */
  readonly resolvable?: boolean;
  /**
   * Built when the connection is known: which statements it has already prepared differs.
   * `keeping`: unnamed statements may be left on it under a name, because an error that comes of
   * that will be answered by building and running the flight again without.
   */
  build(
    connection: ServerConnection,
    keeping: boolean,
  ): {
    readonly messages: readonly Buffer[];
    readonly script: ReplyScript | null;
  };
};
