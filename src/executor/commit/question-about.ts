import type { ServerConnection } from '../../backend/server-connection.ts';
import type { ShardServers } from '../../cluster/shard-servers.ts';
import type { CommitQuestion } from '../../cluster/transactions/commit-question.ts';

/** As of now, while the connection is alive: then its shard's epoch is its own. */
export function questionAbout(
  servers: ShardServers,
  { node: { id, shard } }: ServerConnection,
): CommitQuestion {
  const { epoch, identity } = servers.state(shard);
  return { shard, node: id, epoch, startedAt: identity?.startedAt ?? '', xid: null };
}
