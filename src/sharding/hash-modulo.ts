import { asciiUpper } from './ascii-upper.ts';
import type { Distribution, Key, KeyType, Portion } from './distribution.ts';
import { type Hash64, hashToBigInt } from './hash.ts';
import { hashKey } from './hash-key.ts';
import { quotedKeyText } from './key-text.ts';
import { placementHashSql, quoteLiteral } from './placement-sql.ts';
import type { ShardId } from './shard-id.ts';

export type HashModuloOptions = {
  readonly name: string;
  readonly keyType: KeyType;
  readonly fold: boolean;
  /** In map order, each once. */
  readonly shards: readonly ShardId[];
  /** The owner of each remainder from 0; a shard may own several. At most 2^20 of them. */
  readonly owners: readonly ShardId[];
};

/**
 * PostgreSQL's hash modulo a number, for data that already lies that way. The remainder is never
 * negative: `((hash % n) + n) % n`. Another number of shards moves nearly every key: the ring is for
 * those who will grow.
 */
export class HashModulo implements Distribution {
  readonly method = 'modulo';
  readonly name: string;
  readonly keyType: KeyType;
  readonly fold: boolean;
  readonly shards: readonly ShardId[];
  readonly portions: readonly Portion[];
  readonly #owners: readonly ShardId[];
  readonly #hash: Hash64 = { high: 0, low: 0 };

  constructor(options: HashModuloOptions) {
    this.name = options.name;
    this.keyType = options.keyType;
    this.fold = options.fold;
    this.shards = options.shards;
    this.#owners = options.owners;
    this.portions = options.shards.map((shard) => ({
      kind: 'remainders',
      shard,
      remainders: [...options.owners.keys()].filter((index) => options.owners[index] === shard),
      modulus: options.owners.length,
    }));
  }

  shardOf(key: Key): ShardId | null {
    return this.#owners[this.#remainderOf(key)] ?? null;
  }

  /** Neighbouring keys have unrelated hashes. */
  shardsBetween(): readonly ShardId[] {
    return this.shards;
  }

  shardsWithPrefix(): readonly ShardId[] {
    return this.shards;
  }

  explain(key: Key): string {
    const remainder = this.#remainderOf(key);
    return (
      `${quotedKeyText(this.keyType, key)} has the hash ${hashToBigInt(this.#hash)}, ` +
      `remainder ${remainder} of ${this.#owners.length}, of ${this.#owners[remainder]}`
    );
  }

  placementSql(columnSql: string): string {
    const hashSql = placementHashSql(this.keyType, this.fold, columnSql);
    const modulus = this.#owners.length;
    const names = this.#owners.map(quoteLiteral).join(', ');
    return `(array[${names}])[1 + (((${hashSql}) % ${modulus} + ${modulus}) % ${modulus})::int]`;
  }

  /** Leaves the hash in #hash. */
  #remainderOf(key: Key): number {
    const folded: Key =
      key.kind === 'bytes' && this.fold ? { kind: 'bytes', bytes: asciiUpper(key.bytes) } : key;
    hashKey(folded, this.#hash);
    const modulus = this.#owners.length;
    // (high * 2^32 + low) mod n in parts, each below 2^53 for n up to 2^20.
    const upper = (((this.#hash.high % modulus) + modulus) * (0x1_0000_0000 % modulus)) % modulus;
    return (upper + (this.#hash.low % modulus)) % modulus;
  }
}
