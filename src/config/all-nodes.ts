import type { Config, NodeAddress } from './config.ts';

/** Every server of the configuration: those of the shards, then those of none. */
export function allNodes({
  nodes,
  combineNodes,
}: Pick<Config, 'nodes' | 'combineNodes'>): readonly NodeAddress[] {
  return [...[...nodes.values()].flat(), ...combineNodes];
}
