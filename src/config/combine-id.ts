import type { ShardId } from '../sharding/shard-id.ts';

/**
 * What stands for a server that combines rows and has no shard's place, wherever connections are
 * asked for by shard. No shard can be called so: see shardNamePattern.
 */
export function combineIdOf(address: string): ShardId {
  return `(combine ${address})` as ShardId;
}

/** Likewise, for a standby of the shard, whichever it is at the moment. */
export function standbyIdOf(shard: ShardId): ShardId {
  return `(standby of ${shard})` as ShardId;
}

export function isCombineId(shard: ShardId): boolean {
  return shard.startsWith('(');
}
