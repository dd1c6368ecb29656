import { assert } from '../base/assert.ts';
import { asciiUpper } from './ascii-upper.ts';
import { compareKeys } from './compare-keys.ts';
import type { Distribution, Key, KeyBound, KeyType, Portion } from './distribution.ts';
import { quotedKeyText } from './key-text.ts';
import { comparableSql, keyLiteralSql, quoteLiteral } from './placement-sql.ts';
import type { ShardId } from './shard-id.ts';
import { isAscii, withoutTrailingBlanks } from './text-key.ts';

/** Keys from `from` (inclusive) up to `to` (exclusive); null is open. Folded where the map folds. */
export type KeyRange = {
  readonly shard: ShardId;
  readonly from: Key | null;
  readonly to: Key | null;
};

export type KeyRangesOptions = {
  readonly name: string;
  readonly keyType: KeyType;
  readonly fold: boolean;
  /** In map order; every shard that a range names. */
  readonly shards: readonly ShardId[];
  /** Not empty, without overlap, in any order. */
  readonly ranges: readonly KeyRange[];
};

/** Ranges compare bytes (memcmp of UTF-8) or integers, never by a collation of a language. */
export class KeyRanges implements Distribution {
  readonly method = 'ranges';
  readonly name: string;
  readonly keyType: KeyType;
  readonly fold: boolean;
  readonly shards: readonly ShardId[];
  readonly portions: readonly Portion[];
  readonly #ranges: readonly KeyRange[];

  constructor(options: KeyRangesOptions) {
    this.name = options.name;
    this.keyType = options.keyType;
    this.fold = options.fold;
    this.shards = options.shards;
    this.#ranges = options.ranges.toSorted(compareStarts);
    this.portions = this.#ranges.map((range) => ({ kind: 'range', ...range }));
    assert(this.#ranges.every(isOrdered), `distribution ${options.name} has overlapping ranges`);
  }

  shardOf(key: Key): ShardId | null {
    return this.#rangeOf(this.#folded(key))?.shard ?? null;
  }

  shardsBetween(low: KeyBound | null, high: KeyBound | null): readonly ShardId[] {
    if (this.fold) return this.shards;
    return this.#overlapping(low?.key ?? null, high?.key ?? null, high?.inclusive ?? false);
  }

  shardsWithPrefix(prefix: Buffer): readonly ShardId[] {
    const low = this.#prefixKey(prefix);
    if (low === null) return this.shards;
    return this.#overlapping({ kind: 'bytes', bytes: low }, afterPrefix(low), false);
  }

  explain(key: Key): string {
    const folded = this.#folded(key);
    const range = this.#rangeOf(folded);
    const text = quotedKeyText(this.keyType, key);
    const subject =
      folded === key ? text : `${text} folds to ${quotedKeyText(this.keyType, folded)} and`;
    return range === null
      ? `${subject} lies in no range`
      : `${subject} lies in the range ${this.#rangeText(range)} of ${range.shard}`;
  }

  placementSql(columnSql: string): string {
    const keySql = comparableSql(this.keyType, this.fold, columnSql);
    const branches = this.#ranges.map(
      (range) => `when ${this.#rangeSql(range, keySql)} then ${quoteLiteral(range.shard)}`,
    );
    return `case ${branches.join(' ')} end`;
  }

  #folded(key: Key): Key {
    if (!this.fold || key.kind !== 'bytes') return key;
    const bytes = asciiUpper(key.bytes);
    return bytes === key.bytes ? key : { kind: 'bytes', bytes };
  }

  /** The last range that starts at or before the key, if it reaches that far. */
  #rangeOf(folded: Key): KeyRange | null {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const from = this.#ranges[middle]?.from ?? null;
      if (from === null || compareKeys(from, folded) <= 0) low = middle + 1;
      else high = middle;
    }
    const range = this.#ranges[low - 1];
    if (range === undefined) return null;
    return range.to === null || compareKeys(folded, range.to) < 0 ? range : null;
  }

  #overlapping(low: Key | null, high: Key | null, highInclusive: boolean): readonly ShardId[] {
    const owners = new Set<ShardId>();
    for (const { shard, from, to } of this.#ranges) {
      if (low !== null && to !== null && compareKeys(to, low) <= 0) continue;
      if (high !== null && from !== null) {
        const order = compareKeys(from, high);
        if (order > 0 || (order === 0 && !highInclusive)) continue;
      }
      owners.add(shard);
    }
    return this.shards.filter((shard) => owners.has(shard));
  }

  /** What folded keys with this prefix begin with; null where a prefix says nothing about keys. */
  #prefixKey(prefix: Buffer): Buffer | null {
    switch (this.keyType) {
      case 'text':
      case 'varchar':
      case 'bytea':
        return this.fold ? asciiUpper(prefix) : prefix;
      case 'bpchar': {
        // LIKE sees the padding, the key has none: blanks at the end may be padding.
        const unpadded = withoutTrailingBlanks(prefix);
        return this.fold ? asciiUpper(unpadded) : unpadded;
      }
      case 'citext':
        return isAscii(prefix) ? asciiUpper(prefix) : null;
      default:
        return null;
    }
  }

  #rangeText({ from, to }: KeyRange): string {
    const text = (key: Key) => quotedKeyText(this.keyType, key);
    if (from === null && to === null) return 'of all keys';
    if (from === null) return to === null ? 'of all keys' : `below ${text(to)}`;
    return to === null ? `from ${text(from)} on` : `from ${text(from)} up to below ${text(to)}`;
  }

  #rangeSql({ from, to }: KeyRange, keySql: string): string {
    const literal = (key: Key) => keyLiteralSql(this.keyType, key);
    const limits: string[] = [];
    if (from !== null) limits.push(`${keySql} >= ${literal(from)}`);
    if (to !== null) limits.push(`${keySql} < ${literal(to)}`);
    return limits.length === 0 ? `${keySql} is not null` : limits.join(' and ');
  }
}

function compareStarts(a: KeyRange, b: KeyRange): number {
  if (a.from === null) return b.from === null ? 0 : -1;
  return b.from === null ? 1 : compareKeys(a.from, b.from);
}

function isOrdered(range: KeyRange, index: number, ranges: readonly KeyRange[]): boolean {
  const next = ranges[index + 1];
  if (next === undefined) return true;
  return range.to !== null && next.from !== null && compareKeys(range.to, next.from) <= 0;
}

/** The smallest key after all keys with the prefix; null when there is none. */
function afterPrefix(prefix: Buffer): Key | null {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end -= 1;
  if (end === 0) return null;
  const bytes = Buffer.from(prefix.subarray(0, end));
  bytes[end - 1] = (bytes[end - 1] ?? 0) + 1;
  return { kind: 'bytes', bytes };
}
