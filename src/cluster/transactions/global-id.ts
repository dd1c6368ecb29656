import type { Brand } from '../../base/brand.ts';
import type { ShardId } from '../../sharding/shard-id.ts';

/**
 * Names a transaction that writes on several shards, on all of its servers: `pgweave/`, the shard
 * whose commit is the decision, who minted it, and a count. No two are ever equal, in any database.
 * The database is not in it: pg_prepared_xacts says that beside it.
 */
export type GlobalId = Brand<string, 'GlobalId'>;

export const globalIdPrefix = 'pgweave/';

const pattern = /^pgweave\/([\w.-]{1,63})\/[0-9a-f]{16}\/[0-9a-z]{1,11}$/;

/** Mints ids. `instance`: 16 hexadecimal digits that no other minter has ever had. */
export class GlobalIds {
  readonly #instance: string;
  #count = 0;

  constructor(instance: string) {
    this.#instance = instance;
  }

  mint(coordinator: ShardId): GlobalId {
    this.#count += 1;
    return `${globalIdPrefix}${coordinator}/${this.#instance}/${this.#count.toString(36)}` as GlobalId;
  }
}

/** null: not one of ours. */
export function readGlobalId(text: string): GlobalId | null {
  return pattern.test(text) ? (text as GlobalId) : null;
}

/** The shard whose commit decides; it may have left the configuration. */
export function coordinatorOf(id: GlobalId): ShardId {
  const [, shard = ''] = id.split('/');
  return shard as ShardId;
}
