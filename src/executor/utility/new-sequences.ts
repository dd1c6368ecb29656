import { adjustSequences } from '../../cluster/sequences/adjust-sequences.ts';
import type { SequenceSession } from '../../cluster/sequences/read-sequences.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { serverSession } from './server-session.ts';

/**
 * Rows that the transaction adds to a table it has made get different ids on all shards at once; for
 * the rows of others the supervisor does the same when it is committed. It may be that the user may
 * not alter some sequence, or that another shard does not have it: then it is left as it is.
 */
export async function adjustNewSequences({ transaction, world }: SessionExecutor): Promise<void> {
  const { shardMap } = world.planner;
  const sessions = new Map<ShardId, SequenceSession>();
  for (const [shard, { connection }] of transaction.participants) {
    sessions.set(shard, serverSession(connection));
  }
  if (shardMap.shards.some((shard) => !sessions.has(shard))) return;
  const all = (sql: string) =>
    Promise.all([...sessions.values()].map((session) => session.query(sql)));
  await all('SAVEPOINT __pgweave_sequences');
  try {
    await adjustSequences(sessions, shardMap);
  } catch {
    await all('ROLLBACK TO SAVEPOINT __pgweave_sequences');
  }
  await all('RELEASE SAVEPOINT __pgweave_sequences');
}
