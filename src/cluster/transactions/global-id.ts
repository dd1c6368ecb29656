import { createHash } from 'node:crypto';
import type { Brand } from '../../base/brand.ts';
import type { ShardId } from '../../sharding/shard-id.ts';

/**
 * Names a transaction that writes on several shards, on all of its servers: `pgweave/`, the shard
 * whose commit is the decision, who minted it, and a count. No two are ever equal, in any database.
 * The database is not in it: pg_prepared_xacts says that beside it.
 */
export type GlobalId = Brand<string, 'GlobalId'>;

export const globalIdPrefix = 'pgweave/';

const countDigitsMax = 11;
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

  /** Of a transaction that a client prepares as `gid`; begins with `clientIdPrefix`. */
  mintFor(coordinator: ShardId, gid: string): GlobalId {
    this.#count += 1;
    const digest = createHash('sha256').update(`${this.#instance}/${this.#count}`).digest();
    const unique = digest.readBigUInt64BE().toString(36).slice(0, countDigitsMax);
    return `${clientIdPrefix(coordinator, gid)}${unique}` as GlobalId;
  }
}

/**
 * By which the parts of a transaction are found again that a client has prepared as `gid`. Another gid
 * with the same digest would do no harm: it is the decision row that says how each id has ended.
 */
export function clientIdPrefix(coordinator: ShardId, gid: string): string {
  const digest = createHash('sha256').update(gid).digest('hex').slice(0, 16);
  return `${globalIdPrefix}${coordinator}/${digest}/`;
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
