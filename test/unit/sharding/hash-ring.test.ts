import { describe, expect, it } from 'vitest';
import type { Key } from '../../../src/sharding/distribution.ts';
import { HashModulo } from '../../../src/sharding/hash-modulo.ts';
import { HashRing } from '../../../src/sharding/hash-ring.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { seededRandom } from '../../support/random.ts';

const seed = 11;

describe(`a hash ring (seed ${seed})`, () => {
  const keys = randomKeys(20_000);

  it('moves keys only towards a shard that is added, about its share of them', () => {
    for (let count = 1; count <= 8; count++) {
      const before = ring(equalWeights(count));
      const after = ring(equalWeights(count + 1));
      const moved = keys.filter((key) => before.shardOf(key) !== after.shardOf(key));
      expect(new Set(moved.map((key) => after.shardOf(key)))).toEqual(new Set([`s${count}`]));
      const share = moved.length / keys.length;
      expect(share * (count + 1)).toBeGreaterThan(0.75);
      expect(share * (count + 1)).toBeLessThan(1.25);
    }
  });

  it('moves keys only towards a shard whose weight grows', () => {
    const before = ring({ a: 1, b: 1, c: 1 });
    const after = ring({ a: 1, b: 2.5, c: 1 });
    const moved = keys.filter((key) => before.shardOf(key) !== after.shardOf(key));
    expect(moved.length).toBeGreaterThan(0);
    expect(moved.every((key) => after.shardOf(key) === 'b')).toBe(true);
  });

  it('gives shards keys in proportion to their weights, as its portions say', () => {
    const map = ring({ a: 1, b: 1, c: 2 });
    let total = 0;
    for (const portion of map.portions) {
      if (portion.kind !== 'arcs') throw new Error('a ring has arcs');
      const owned = keys.filter((key) => map.shardOf(key) === portion.shard).length;
      expect(Math.abs(owned / keys.length - portion.share)).toBeLessThan(0.015);
      expect(Math.abs(portion.share / (portion.weight / 4) - 1)).toBeLessThan(0.2);
      total += portion.share;
    }
    expect(total).toBeCloseTo(1, 9);
  });

  it('does not depend on the order of its shards', () => {
    const one = ring({ a: 1, b: 1, c: 2 });
    const other = ring({ c: 2, b: 1, a: 1 });
    expect(keys.every((key) => one.shardOf(key) === other.shardOf(key))).toBe(true);
  });

  it('knows nothing of order: ranges and prefixes are everywhere', () => {
    const map = ring({ a: 1, b: 1 });
    expect(map.shardsBetween()).toEqual(['a', 'b']);
    expect(map.shardsWithPrefix()).toEqual(['a', 'b']);
  });

  it('explains where a key lies', () => {
    const key: Key = { kind: 'bytes', bytes: Buffer.from('abc') };
    expect(ring({ a: 1 }).explain(key)).toMatch(
      /^'abc' has the hash -6747756470228489321, on the arc from -?\d+ up to below -?\d+ of a$/,
    );
  });

  it('places folded keys together', () => {
    const map = new HashRing({
      name: 'd',
      keyType: 'text',
      fold: true,
      members: members(equalWeights(8)),
    });
    for (const name of ['kim', 'Émile', 'ÜNAL x9']) {
      const owners = [name, name.replace(/[a-z]/g, (letter) => letter.toUpperCase())].map((text) =>
        map.shardOf({ kind: 'bytes', bytes: Buffer.from(text) }),
      );
      expect(owners[0]).toBe(owners[1]);
    }
  });
});

describe('hash modulo', () => {
  it('has a remainder that is never negative', () => {
    const owners = ['a', 'b', 'c', 'a'].map((name) => name as ShardId);
    const shards = ['a', 'b', 'c'].map((name) => name as ShardId);
    const map = new HashModulo({ name: 'd', keyType: 'text', fold: false, shards, owners });
    // hashtextextended('abc', 0) is -6747756470228489321, which leaves 3 of 4.
    const key: Key = { kind: 'bytes', bytes: Buffer.from('abc') };
    expect(map.shardOf(key)).toBe('a');
    expect(map.explain(key)).toBe(
      "'abc' has the hash -6747756470228489321, remainder 3 of 4, of a",
    );
    expect(map.portions).toEqual([
      { kind: 'remainders', shard: 'a', remainders: [0, 3], modulus: 4 },
      { kind: 'remainders', shard: 'b', remainders: [1], modulus: 4 },
      { kind: 'remainders', shard: 'c', remainders: [2], modulus: 4 },
    ]);
  });
});

type Weights = { readonly [shard: string]: number };

function ring(weights: Weights): HashRing {
  return new HashRing({ name: 'd', keyType: 'text', fold: false, members: members(weights) });
}

function members(weights: Weights) {
  return Object.entries(weights).map(([name, weight]) => ({ shard: name as ShardId, weight }));
}

function equalWeights(count: number): Weights {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, 1]));
}

function randomKeys(count: number): readonly Key[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => ({
    kind: 'bytes',
    bytes: random.bytes(random.integer(4, 20)),
  }));
}
