import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import type { Key, KeyType } from '../../../src/sharding/distribution.ts';
import { type Hash64, hashToBigInt } from '../../../src/sharding/hash.ts';
import { hashKey } from '../../../src/sharding/hash-key.ts';
import type { KeyReading, KeyTarget } from '../../../src/sharding/key-reading.ts';
import { keyText } from '../../../src/sharding/key-text.ts';
import { keyFromBinary, keyFromText } from '../../../src/sharding/key-value.ts';
import { anyBytes, damaged, wellFormed } from '../../support/properties.ts';

const keyTypes: readonly KeyType[] = [
  'text',
  'varchar',
  'bpchar',
  'citext',
  'int2',
  'int4',
  'int8',
  'uuid',
  'date',
  'timestamp',
  'timestamptz',
  'bytea',
];
const valueTypes = [
  'unknown',
  ...keyTypes,
  'numeric',
  'float4',
  'float8',
  'name',
  'bool',
  'json',
  'no such type',
];
const target: fc.Arbitrary<KeyTarget> = fc.record({
  keyType: fc.constantFrom(...keyTypes),
  valueType: fc.constantFrom(...valueTypes),
  use: fc.constantFrom('compare', 'assign'),
});
const zone = fc.constantFrom(null, 'UTC', 'Asia/Tokyo');

const written = fc.constantFrom(
  '',
  '0',
  '-1',
  '42',
  '007',
  ' 7 ',
  '+5',
  '0x1F',
  '1_000',
  '1.5',
  '1e5',
  '-.5e-3',
  '1e9999',
  'NaN',
  '9223372036854775808',
  '-9223372036854775808',
  '2024-01-05',
  '2024-02-30',
  '0044-03-15 BC',
  '2024-01-05 10:00+02',
  '20240105T101112.123456Z',
  'infinity',
  '-infinity',
  'now',
  '294277-01-01',
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  '{a0eebc999c0b4ef8bb6d6bb9bd380a11}',
  '\\x00ff',
  '\\x0',
  'a\\001\\\\',
  'Kim',
  'Kim  ',
  'é',
  ' ',
  '\t',
  '9'.repeat(400),
);
const text = fc.oneof(
  written,
  damaged(written.map((value) => Buffer.from(value))).map(String),
  fc.string({ unit: 'binary', maxLength: 80 }),
);

function check(target: KeyTarget, reading: KeyReading): void {
  if (reading.kind === 'key') hashOf(reading.key);
  if (reading.kind === 'invalid' || reading.kind === 'unknown') {
    expect(reading.error).toBeInstanceOf(PgError);
  }
  // Nothing that is stored may be left without a place and without a word.
  if (target.use === 'assign') expect(reading.kind).not.toBe('no-match');
}

function hashOf(key: Key): bigint {
  const hash: Hash64 = { high: 0, low: 0 };
  hashKey(key, hash);
  const value = hashToBigInt(hash);
  expect(BigInt.asIntN(64, value)).toBe(value);
  return value;
}

describe('a key', () => {
  it('is read from any text, or it is said why not', () => {
    fc.assert(
      fc.property(target, text, zone, (wanted, value, timeZone) => {
        const reading = keyFromText(wanted, value, timeZone);
        check(wanted, reading);
        expect(keyFromText(wanted, Buffer.from(value), timeZone).kind).toBe(reading.kind);
      }),
      { numRuns: 1000 },
    );
  });

  it('is read from any bytes, or it is said why not', () => {
    fc.assert(
      fc.property(target, anyBytes, zone, (wanted, bytes, timeZone) => {
        check(wanted, keyFromBinary(wanted, bytes.subarray(0, bytes.length % 20), timeZone));
        check(wanted, keyFromBinary(wanted, bytes, timeZone));
      }),
      { numRuns: 1000 },
    );
  });

  it('that is written as text is read as the same key', () => {
    fc.assert(
      fc.property(fc.constantFrom(...keyTypes), text, (keyType, value) => {
        const own: KeyTarget = { keyType, valueType: 'unknown', use: 'compare' };
        const reading = keyFromText(own, wellFormed(value), 'UTC');
        if (reading.kind !== 'key') return;
        const again = keyFromText(own, keyText(keyType, reading.key), 'UTC');
        expect(again).toEqual(reading);
        expect(again.kind === 'key' && hashOf(again.key)).toBe(hashOf(reading.key));
      }),
      { numRuns: 1000 },
    );
  });

  it('is the same in binary as in text', () => {
    const number = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(number, (value) => {
        const own: KeyTarget = { keyType: 'int8', valueType: 'int8', use: 'compare' };
        const bytes = Buffer.alloc(8);
        bytes.writeBigInt64BE(value);
        expect(keyFromBinary(own, bytes)).toEqual(keyFromText(own, String(value)));
      }),
    );
  });
});
