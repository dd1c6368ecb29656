import { asciiUpper } from './ascii-upper.ts';
import type { Distribution, Key, KeyType, Portion } from './distribution.ts';
import { type Hash64, hashBytes, hashToBigInt } from './hash.ts';
import { hashKey } from './hash-key.ts';
import { quotedKeyText } from './key-text.ts';
import { placementHashSql, quoteLiteral } from './placement-sql.ts';
import type { ShardId } from './shard-id.ts';

export type HashRingOptions = {
  readonly name: string;
  readonly keyType: KeyType;
  readonly fold: boolean;
  /** In map order. */
  readonly members: readonly RingMember[];
};

/** `weight` is above 0; a shard gets keys in proportion to it. */
export type RingMember = { readonly shard: ShardId; readonly weight: number };

/**
 * Points that a shard of weight 1 has on the ring. With 256 the shards' shares of the hashes differ
 * from their weights by some 6 percent (1/sqrt(256)).
 */
const pointsPerWeight = 256;

type Point = { readonly position: bigint; readonly member: number };

/**
 * A consistent-hash ring over PostgreSQL's own 64-bit hashes, in signed order. Point n of a shard
 * lies at `hashtextextended('<shard>/<n>', 0)` and owns the hashes from itself up to the next point.
 * So a new shard, or more weight, takes keys from the others and moves none between them.
 */
export class HashRing implements Distribution {
  readonly method = 'ring';
  readonly name: string;
  readonly keyType: KeyType;
  readonly fold: boolean;
  readonly shards: readonly ShardId[];
  readonly portions: readonly Portion[];
  /** Where arcs begin, ascending: upper and lower halves, and whose arc it is. */
  readonly #highs: Int32Array;
  readonly #lows: Uint32Array;
  readonly #owners: Uint16Array;
  readonly #hash: Hash64 = { high: 0, low: 0 };

  constructor(options: HashRingOptions) {
    this.name = options.name;
    this.keyType = options.keyType;
    this.fold = options.fold;
    this.shards = options.members.map((member) => member.shard);
    const points = placePoints(options.members);
    this.#highs = Int32Array.from(points, (point) => Number(point.position >> 32n));
    this.#lows = Uint32Array.from(points, (point) => Number(point.position & 0xffff_ffffn));
    this.#owners = Uint16Array.from(points, (point) => point.member);
    this.portions = portionsOf(options.members, points);
  }

  shardOf(key: Key): ShardId | null {
    return this.#ownerOf(this.#arcOf(key));
  }

  /** Neighbouring keys lie anywhere on a ring. */
  shardsBetween(): readonly ShardId[] {
    return this.shards;
  }

  shardsWithPrefix(): readonly ShardId[] {
    return this.shards;
  }

  explain(key: Key): string {
    const arc = this.#arcOf(key);
    const hash = hashToBigInt(this.#hash);
    const end = this.#position((arc + 1) % this.#owners.length);
    return (
      `${quotedKeyText(this.keyType, key)} has the hash ${hash}, ` +
      `on the arc from ${this.#position(arc)} up to below ${end} of ${this.#ownerOf(arc)}`
    );
  }

  /** width_bucket counts the points at or below the hash; of none, the last arc reaches round. */
  placementSql(columnSql: string): string {
    const hashSql = placementHashSql(this.keyType, this.fold, columnSql);
    const positions = Array.from(this.#owners, (_, arc) => this.#position(arc)).join(',');
    const owners = Array.from(this.#owners, (owner) => owner + 1);
    const byBucket = [owners[owners.length - 1], ...owners].join(',');
    const names = this.shards.map(quoteLiteral).join(', ');
    return (
      `(array[${names}])[('{${byBucket}}'::int[])` +
      `[1 + width_bucket(${hashSql}, '{${positions}}'::bigint[])]]`
    );
  }

  #ownerOf(arc: number): ShardId | null {
    return this.shards[this.#owners[arc] ?? 0] ?? null;
  }

  /** The last point at or before the key's hash, which is left in #hash. */
  #arcOf(key: Key): number {
    hashKey(key.kind === 'bytes' && this.fold ? foldedKey(key.bytes) : key, this.#hash);
    const { high, low } = this.#hash;
    let start = 0;
    let end = this.#owners.length;
    while (start < end) {
      const middle = (start + end) >>> 1;
      const pointHigh = this.#highs[middle] ?? 0;
      const isAtOrBefore =
        pointHigh < high || (pointHigh === high && (this.#lows[middle] ?? 0) <= low);
      if (isAtOrBefore) start = middle + 1;
      else end = middle;
    }
    return start === 0 ? this.#owners.length - 1 : start - 1;
  }

  #position(arc: number): bigint {
    return hashToBigInt({ high: this.#highs[arc] ?? 0, low: this.#lows[arc] ?? 0 });
  }
}

function foldedKey(bytes: Buffer): Key {
  return { kind: 'bytes', bytes: asciiUpper(bytes) };
}

/** Sorted; neighbours of one owner are one arc. Of two equal positions the smaller name wins. */
function placePoints(members: readonly RingMember[]): readonly Point[] {
  const hash: Hash64 = { high: 0, low: 0 };
  const points: Point[] = [];
  for (const [member, { shard, weight }] of members.entries()) {
    const count = Math.max(1, Math.round(weight * pointsPerWeight));
    for (let n = 0; n < count; n++) {
      hashBytes(Buffer.from(`${shard}/${n}`, 'utf8'), hash);
      points.push({ position: hashToBigInt(hash), member });
    }
  }
  const nameOf = (point: Point) => members[point.member]?.shard ?? '';
  points.sort((a, b) => {
    if (a.position !== b.position) return a.position < b.position ? -1 : 1;
    return nameOf(a) < nameOf(b) ? -1 : 1;
  });
  return points
    .filter((point, index) => point.position !== points[index - 1]?.position)
    .filter((point, index, distinct) => point.member !== distinct[index - 1]?.member);
}

function portionsOf(members: readonly RingMember[], points: readonly Point[]): readonly Portion[] {
  const covered = members.map(() => 0);
  for (const [index, { position, member }] of points.entries()) {
    const next = points[index + 1]?.position ?? (points[0]?.position ?? 0n) + 2n ** 64n;
    covered[member] = (covered[member] ?? 0) + Number(next - position) / 2 ** 64;
  }
  return members.map(({ shard, weight }, member) => ({
    kind: 'arcs',
    shard,
    weight,
    share: covered[member] ?? 0,
  }));
}
