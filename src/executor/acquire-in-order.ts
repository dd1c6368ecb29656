import type { ServerConnection } from '../backend/server-connection.ts';
import type { PgError } from '../base/pg-error.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { MultiShardSelect } from './select/multi-shard-select.ts';
import type { SessionExecutor } from './session-executor.ts';
import type { ConnectionRequest } from './transaction/transaction.ts';

/**
 * Acquires the shards' connections one after the other, in the order of asking: statements that
 * need several cannot wait for each other in a circle. Free connections are handed out at once.
 */
export function acquireInOrder(
  executor: SessionExecutor,
  how: Partial<Pick<ConnectionRequest, 'rowless' | 'locks' | 'write'>>,
): MultiShardSelect['acquire'] {
  type Waiting = {
    readonly shard: ShardId;
    readonly onConnection: (connection: ServerConnection, release: () => void) => void;
    readonly onRefused: (error: PgError) => void;
    givenUp: boolean;
    giveUp: () => void;
  };
  const queue: Waiting[] = [];
  let current: Waiting | null = null;
  const next = () => {
    if (current !== null) return;
    const head = queue.shift();
    if (head === undefined) return;
    if (head.givenUp) return next();
    current = head;
    head.giveUp = executor.transaction.acquire({
      shard: head.shard,
      write: false,
      ...how,
      share: false,
      onConnection(connection, release) {
        current = null;
        head.onConnection(connection, release);
        next();
      },
      onRefused(error) {
        current = null;
        head.onRefused(error);
        next();
      },
    });
  };
  return (shard, onConnection, onRefused) => {
    const waiting: Waiting = { shard, onConnection, onRefused, givenUp: false, giveUp() {} };
    queue.push(waiting);
    next();
    return () => {
      waiting.givenUp = true;
      waiting.giveUp();
      if (current !== waiting) return;
      current = null;
      next();
    };
  };
}
