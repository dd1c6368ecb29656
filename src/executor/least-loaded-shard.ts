import { assert } from '../base/assert.ts';
import type { ShardServers } from '../cluster/shard-servers.ts';
import type { ShardId } from '../sharding/shard-id.ts';

/**
 * The shard whose primary has the fewest connections of this worker in use or waited for; the first
 * of equal ones. One without a primary comes last.
 */
export function leastLoadedShard(servers: ShardServers, shards: readonly ShardId[]): ShardId {
  const [first] = shards;
  assert(first !== undefined, 'there is a shard to choose');
  const counts = servers.counts();
  const loadOf = (shard: ShardId) => {
    const { primary } = servers.state(shard);
    if (primary === null) return Infinity;
    const count = counts.get(primary);
    return count === undefined ? 0 : count.active + count.waiting;
  };
  let best = { shard: first, load: loadOf(first) };
  for (const shard of shards.slice(1)) {
    const load = loadOf(shard);
    if (load < best.load) best = { shard, load };
  }
  return best.shard;
}
