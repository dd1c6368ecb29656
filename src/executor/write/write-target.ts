import { unreachable } from '../../base/assert.ts';
import type { MultiShardWrite, Routing, WriteStep } from '../../planner/plan.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ShardMap } from '../../sharding/shard-map.ts';
import type { IntermediateRun, PartRun, StepRun, WriteTarget } from '../target.ts';

/** Where a write goes. `shardsOf` resolves a routing with the statement's values, or throws. */
export function writeTarget(
  plan: MultiShardWrite,
  intermediate: readonly IntermediateRun[],
  shardMap: ShardMap,
  shardsOf: (routing: Routing) => readonly ShardId[],
): WriteTarget {
  const { before, step, isUnconditional, returnsRows, changesRows } = plan;
  const runOf = (each: WriteStep): StepRun => {
    const name = 'distribution' in each ? each.distribution : '';
    const distribution = shardMap.distributions.get(name) ?? null;
    const shards = stepShards(each, shardMap, shardsOf, distribution?.shards ?? []);
    return { step: each, shards, distribution };
  };
  return {
    kind: 'write',
    before: before.map(
      (part): PartRun => (part.kind === 'query' ? part : { ...part, ...runOf(part.step) }),
    ),
    ...runOf(step),
    intermediate,
    home: shardMap.home,
    isUnconditional,
    returnsRows,
    changesRows,
  };
}

function stepShards(
  step: WriteStep,
  { shards, home }: ShardMap,
  shardsOf: (routing: Routing) => readonly ShardId[],
  owners: readonly ShardId[],
): readonly ShardId[] {
  switch (step.kind) {
    case 'own-rows':
    case 'key-change':
      return shardsOf(step.routing);
    case 'copies':
    case 'new-copies':
      // The home shard first: whoever has locked the table there goes on alone.
      return [home, ...shards.filter((shard) => shard !== home)];
    case 'listed-rows':
    case 'collected-rows':
      return owners;
    default:
      return unreachable(step);
  }
}
