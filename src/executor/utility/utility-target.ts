import type { Plan } from '../../planner/plan.ts';
import type { ShardMap } from '../../sharding/shard-map.ts';
import type { Target } from '../target.ts';

/** Where a utility statement goes. */
export function utilityTarget(
  { everyShard, changesSchema, tag }: Extract<Plan, { readonly kind: 'utility' }>,
  { home, shards: all }: ShardMap,
): Target {
  const onHome: Target = { kind: 'shard', shard: home, write: true };
  if (everyShard === null) return onHome;
  const { how, lacking, elsewhere } = everyShard;
  const present = all.filter((shard) => !lacking.includes(shard));
  const [first = home] = present.includes(home) ? [home] : present;
  const shards = [first, ...present.filter((shard) => shard !== first)];
  if (shards.length === 1 && first === home) return onHome;
  return { kind: 'utility', shards, home, how, elsewhere, changesSchema, remedy: remedyOf(tag) };
}

function remedyOf(tag: string): string {
  if (tag.startsWith('REINDEX')) {
    return 'Where it failed it may have left an invalid index whose name ends in _ccnew or _ccold: drop that on the server, then run it again.';
  }
  switch (tag) {
    case 'CREATE INDEX':
      return 'Where it failed it may have left an invalid index: DROP INDEX CONCURRENTLY IF EXISTS, then create it again.';
    case 'DROP INDEX':
      return 'Run it again with IF EXISTS.';
    default:
      return 'Run it again.';
  }
}
