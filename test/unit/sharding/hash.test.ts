import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { KeyType } from '../../../src/sharding/distribution.ts';
import { hashBytes, hashInteger, hashToBigInt } from '../../../src/sharding/hash.ts';
import { hashKey } from '../../../src/sharding/hash-key.ts';
import { keyFromText } from '../../../src/sharding/key-value.ts';

type Vectors = { readonly [type: string]: readonly (readonly [string, string])[] };

// A real server's answers: hash-vectors.sql beside it says how to make them again.
const vectors: Vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, 'hash-vectors.json'), 'utf8'),
);

describe('hashes', () => {
  const keyTypes: { readonly [name: string]: KeyType } = { integer: 'int8' };
  for (const [name, pairs] of Object.entries(vectors)) {
    it(`of ${name} are what PostgreSQL computes`, () => {
      const keyType = keyTypes[name] ?? (name as KeyType);
      for (const [text, expected] of pairs) {
        const value = name === 'bytea' ? `\\x${text}` : text;
        const reading = keyFromText({ keyType, valueType: 'unknown', use: 'compare' }, value);
        if (reading.kind !== 'key') throw new Error(`no key from ${value}`);
        const hash = { high: 0, low: 0 };
        hashKey(reading.key, hash);
        expect([value, hashToBigInt(hash).toString()]).toEqual([value, expected]);
      }
    });
  }

  it('of an integer do not depend on its width', () => {
    const [byBytes, byInteger] = [
      { high: 0, low: 0 },
      { high: 0, low: 0 },
    ];
    const four = Buffer.alloc(4);
    four.writeInt32LE(123_456_789);
    hashBytes(four, byBytes);
    hashInteger(123_456_789n, byInteger);
    expect(byInteger).toEqual(byBytes);
  });
});
