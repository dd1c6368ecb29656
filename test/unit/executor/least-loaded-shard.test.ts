import { expect, it } from 'vitest';
import type { PoolCounts } from '../../../src/backend/pool.ts';
import type { ShardServers } from '../../../src/cluster/shard-servers.ts';
import type { NodeId } from '../../../src/config/config.ts';
import { leastLoadedShard } from '../../../src/executor/least-loaded-shard.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';

/** `active + waiting` of each shard's primary; null: it has none. */
function choice(loads: { readonly [shard: string]: readonly [number, number] | null }): string {
  const counts = new Map<NodeId, PoolCounts>();
  for (const [shard, load] of Object.entries(loads)) {
    if (load === null) continue;
    const [active, waiting] = load;
    counts.set(`${shard}:1` as NodeId, {
      idle: 0,
      active,
      reserved: 0,
      connecting: 0,
      waiting,
      waitMs: 0,
    });
  }
  const servers = {
    counts: () => counts,
    state: (shard: ShardId) => ({ primary: loads[shard] === null ? null : `${shard}:1` }),
  };
  const shards = Object.keys(loads) as readonly string[] as readonly ShardId[];
  return leastLoadedShard(servers as unknown as ShardServers, shards);
}

it('chooses the primary with the least to do, the first of equal ones, never a missing one', () => {
  expect(choice({ a: [2, 0], b: [1, 0], c: [1, 0] })).toBe('b');
  expect(choice({ a: [1, 3], b: [3, 0] })).toBe('b');
  expect(choice({ a: null, b: [9, 9] })).toBe('b');
  expect(choice({ a: null })).toBe('a');
});
