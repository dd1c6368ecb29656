import { describe, expect, it } from 'vitest';
import type { Key, KeyBound, KeyType } from '../../../src/sharding/distribution.ts';
import { KeyRanges } from '../../../src/sharding/key-ranges.ts';
import { keyFromText } from '../../../src/sharding/key-value.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { seededRandom } from '../../support/random.ts';

const folded = ranges('text', true, ['E', 'P', 'V']);
const exact = ranges('text', false, ['E', 'P', 'V']);
const numbers = ranges('int4', false, ['0', '100', '200']);

describe('key ranges', () => {
  it('give a bound to the range that begins there', () => {
    expect(numbers.shardOf(key('int4', '-1'))).toBe('s0');
    expect(numbers.shardOf(key('int4', '0'))).toBe('s1');
    expect(numbers.shardOf(key('int4', '99'))).toBe('s1');
    expect(numbers.shardOf(key('int4', '100'))).toBe('s2');
    expect(numbers.shardOf(key('int4', '2147483647'))).toBe('s3');
  });

  it('place letters of both cases together when they fold, and only ASCII letters', () => {
    for (const name of ['Kim', 'kim', 'KIM']) expect(folded.shardOf(key('text', name))).toBe('s1');
    expect(exact.shardOf(key('text', 'kim'))).toBe('s3');
    expect(folded.shardOf(key('text', '007'))).toBe('s0');
    expect(folded.shardOf(key('text', 'émile'))).toBe('s3');
    expect(folded.shardOf(key('text', '김민준'))).toBe('s3');
    expect(folded.shardOf(key('text', ''))).toBe('s0');
  });

  it('compare bytes of UTF-8, not UTF-16 units', () => {
    // U+FF5E is EF BD 9E, U+1F600 is F0 9F 98 80 but begins with the smaller unit D83D.
    const map = ranges('text', false, ['\uff5e']);
    expect(map.shardOf(key('text', '\u{1f600}'))).toBe('s1');
  });

  it('have no shard for keys beyond the ends', () => {
    const map = new KeyRanges({
      name: 'd',
      keyType: 'int4',
      fold: false,
      shards: ['a' as ShardId],
      ranges: [{ shard: 'a' as ShardId, from: key('int4', '1'), to: key('int4', '10') }],
    });
    expect(map.shardOf(key('int4', '0'))).toBeNull();
    expect(map.shardOf(key('int4', '10'))).toBeNull();
    expect(map.explain(key('int4', '10'))).toBe('10 lies in no range');
    expect(map.shardsBetween(bound('int4', '10', true), null)).toEqual([]);
  });

  it('between bounds are those that can hold such a key', () => {
    const between = (low: KeyBound | null, high: KeyBound | null) =>
      numbers.shardsBetween(low, high).join(' ');
    expect(between(null, null)).toBe('s0 s1 s2 s3');
    expect(between(bound('int4', '5', true), bound('int4', '6', true))).toBe('s1');
    expect(between(bound('int4', '5', true), bound('int4', '100', false))).toBe('s1');
    expect(between(bound('int4', '5', true), bound('int4', '100', true))).toBe('s1 s2');
    expect(between(bound('int4', '150', false), null)).toBe('s2 s3');
    expect(between(null, bound('int4', '0', false))).toBe('s0');
  });

  it('between bounds are all when keys fold, for the order of the keys is another one', () => {
    expect(folded.shardsBetween(bound('text', 'K', true), bound('text', 'L', true))).toHaveLength(
      4,
    );
  });

  it('of a prefix are those that can hold such a text', () => {
    const withPrefix = (map: KeyRanges, prefix: string) =>
      map.shardsWithPrefix(Buffer.from(prefix)).join(' ');
    expect(withPrefix(folded, 'ki')).toBe('s1');
    expect(withPrefix(exact, 'ki')).toBe('s3');
    expect(withPrefix(folded, '')).toBe('s0 s1 s2 s3');
    expect(withPrefix(ranges('text', true, ['EA', 'EM']), 'e')).toBe('s0 s1 s2');
    expect(withPrefix(ranges('bpchar', false, ['E!']), 'E ')).toBe('s0 s1');
    expect(withPrefix(ranges('citext', true, ['E']), 'É')).toBe('s0 s1');
    expect(withPrefix(numbers, '1')).toBe('s0 s1 s2 s3');
    expect(
      ranges('bytea', false, ['\\x10', '\\xff'])
        .shardsWithPrefix(Buffer.from([0xff, 0xff]))
        .join(' '),
    ).toBe('s2');
  });

  it('never leave out the owner of a key that fits', () => {
    const seed = 7;
    const random = seededRandom(seed);
    const text = () =>
      Array.from({ length: random.integer(0, 4) }, () => random.pick([...'aAeEpPvVzé '])).join('');
    for (let run = 0; run < 5000; run++) {
      const map = random.pick([folded, exact]);
      const [low, value, high] = [text(), text(), text()];
      const owner = map.shardOf(key('text', value));
      const bytes = Buffer.from(value);
      const context = `seed ${seed}: ${JSON.stringify([low, value, high])}`;
      if (
        Buffer.compare(Buffer.from(low), bytes) <= 0 &&
        Buffer.compare(bytes, Buffer.from(high)) <= 0
      ) {
        expect(
          map.shardsBetween(bound('text', low, true), bound('text', high, true)),
          context,
        ).toContain(owner);
      }
      if (value.startsWith(low)) {
        expect(map.shardsWithPrefix(Buffer.from(low)), context).toContain(owner);
      }
    }
  });

  it('explain themselves', () => {
    expect(folded.explain(key('text', 'Kim'))).toBe(
      "'Kim' folds to 'KIM' and lies in the range from 'E' up to below 'P' of s1",
    );
    expect(numbers.explain(key('int4', '-5'))).toBe('-5 lies in the range below 0 of s0');
    expect(numbers.explain(key('int4', '500'))).toBe('500 lies in the range from 200 on of s3');
  });

  it('write their rule in SQL', () => {
    expect(ranges('text', true, ['M']).placementSql('"name"')).toBe(
      `case when upper("name" collate "C") < 'M' then 's0' when upper("name" collate "C") >= 'M' then 's1' end`,
    );
  });
});

function ranges(keyType: KeyType, fold: boolean, bounds: readonly string[]): KeyRanges {
  const keys = [null, ...bounds.map((text) => key(keyType, text)), null];
  const shards = keys.slice(1).map((_, index) => `s${index}` as ShardId);
  return new KeyRanges({
    name: 'd',
    keyType,
    fold,
    shards,
    ranges: shards.map((shard, index) => ({
      shard,
      from: keys[index] ?? null,
      to: keys[index + 1] ?? null,
    })),
  });
}

function key(keyType: KeyType, text: string): Key {
  const reading = keyFromText({ keyType, valueType: 'unknown', use: 'compare' }, text);
  if (reading.kind !== 'key') throw new Error(`no key from ${text}`);
  return reading.key;
}

function bound(keyType: KeyType, text: string, inclusive: boolean): KeyBound {
  return { key: key(keyType, text), inclusive };
}
