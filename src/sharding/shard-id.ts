import type { Brand } from '../base/brand.ts';

/** The name of a shard: an active/standby set of servers. Minted by the configuration only. */
export type ShardId = Brand<string, 'ShardId'>;
