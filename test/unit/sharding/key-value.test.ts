import { describe, expect, it } from 'vitest';
import type { KeyType } from '../../../src/sharding/distribution.ts';
import type { KeyReading, KeyUse } from '../../../src/sharding/key-reading.ts';
import { keyText } from '../../../src/sharding/key-text.ts';
import { keyFromBinary, keyFromText } from '../../../src/sharding/key-value.ts';
import { parameterType } from '../../../src/sharding/value-type.ts';

// What the server says of the same values is tested in test/integration/key-value.test.ts.

describe('a text value', () => {
  it('becomes the key that its type means', () => {
    expect(read('int4', '0x_1F')).toBe('31');
    for (const digits of ['0', '7', '999999999', '1000000000', '2147483647']) {
      for (const text of [digits, `+${digits}`, ` ${digits} `])
        expect(read('int4', text)).toBe(digits);
      expect(read('int4', `-${digits}`)).toBe(digits === '0' ? '0' : `-${digits}`);
    }
    expect(read('int4', '007')).toBe('7');
    expect(read('bpchar', 'Kim  ')).toBe('Kim');
    expect(read('text', 'Kim  ')).toBe('Kim  ');
    expect(read('date', '0044-03-15 BC')).toBe('0044-03-15 BC');
    expect(read('timestamptz', '2024-01-05 10:00+02')).toBe('2024-01-05 08:00:00+00');
  });

  it('of NULL has no key', () => {
    expect(keyFromText(target('int4'), null)).toEqual({ kind: 'null' });
    expect(keyFromBinary(target('int4'), null)).toEqual({ kind: 'null' });
  });

  it('may be bytes that are not copied', () => {
    const bytes = Buffer.from('Kim');
    const reading = keyFromText(target('text'), bytes);
    expect(reading.kind === 'key' && reading.key.kind === 'bytes' && reading.key.bytes).toBe(bytes);
  });

  it('that the type refuses is refused with its SQLSTATE', () => {
    expect(read('int2', '32768')).toBe('22003');
    expect(read('int4', '2147483648')).toBe('22003');
    expect(read('int4', '')).toBe('22P02');
    expect(read('int4', 'x')).toBe('22P02');
    expect(read('date', '2024-02-30')).toBe('22008');
    expect(read('bytea', '\\x0')).toBe('22023');
    expect(keyFromBinary(target('uuid'), Buffer.alloc(15))).toMatchObject({
      kind: 'invalid',
      error: { sqlState: '22P03' },
    });
  });

  it('whose meaning a setting decides is not guessed', () => {
    expect(read('date', '05/01/2024')).toBe('unknown 0A000');
    expect(read('timestamptz', '2024-01-05 10:00', { timeZone: null })).toBe('unknown 0A000');
    expect(read('timestamptz', '2024-01-05 10:00', { timeZone: 'Asia/Seoul' })).toBe(
      'unknown 0A000',
    );
    expect(read('timestamptz', '2024-01-05 10:00', { timeZone: 'Etc/UTC' })).toBe(
      '2024-01-05 10:00:00+00',
    );
  });

  it('of hostile length takes no time', () => {
    const blanks = ' '.repeat(1_000_000);
    expect(read('timestamp', `2024-01-05${blanks}x`)).toBe('unknown 0A000');
    expect(read('int8', '9'.repeat(1_000_000))).toBe('unknown 0A000');
    expect(read('bytea', `\\x${'00'.repeat(1_000_000)}`)).toBe('unknown 0A000');
  });

  it('of citext beyond ASCII is not routed: two spellings could lie on two shards', () => {
    expect(read('citext', 'Kim')).toBe('Kim');
    expect(read('citext', 'Émile')).toBe('unknown 0A000');
  });
});

describe('a value of another type', () => {
  it('between two integers equals none and says between which it lies', () => {
    const reading = keyFromText(target('int4', 'numeric'), '-42.5');
    expect(reading).toEqual({
      kind: 'no-match',
      below: { kind: 'integer', value: -43n },
      above: { kind: 'integer', value: -42n },
    });
  });

  it('beyond every integer equals none', () => {
    expect(keyFromText(target('int8', 'numeric'), '1e30')).toMatchObject({
      kind: 'no-match',
      below: { value: 2n ** 63n - 1n },
      above: null,
    });
    expect(keyFromText(target('int8', 'numeric'), '-9223372036854775808.5')).toMatchObject({
      kind: 'no-match',
      below: null,
      above: { value: -(2n ** 63n) },
    });
  });

  it('is compared in the wider type but must fit when it is stored', () => {
    expect(read('int4', '4294967296', { valueType: 'int8' })).toBe('4294967296');
    expect(read('int4', '4294967296', { valueType: 'int8', use: 'assign' })).toBe('22003');
  });

  it('that is a double too large to be exact is not routed', () => {
    expect(read('int8', '9007199254740991', { valueType: 'float8' })).toBe('9007199254740991');
    expect(read('int8', '9007199254740992', { valueType: 'float8' })).toBe('unknown 0A000');
    expect(read('int8', 'NaN', { valueType: 'float8' })).toBe('unknown 0A000');
  });

  it('whose trailing blanks count for one side only is not routed', () => {
    expect(read('bpchar', 'a ', { valueType: 'varchar' })).toBe('a');
    expect(read('bpchar', 'a ', { valueType: 'text' })).toBe('unknown 0A000');
    expect(read('varchar', 'a ')).toBe('a ');
    expect(read('varchar', 'a ', { use: 'assign' })).toBe('unknown 0A000');
  });

  it('without a known comparison is not routed', () => {
    expect(read('int4', '1', { valueType: 'text' })).toBe('unknown 0A000');
    expect(read('text', '1', { valueType: 'int4' })).toBe('unknown 0A000');
    expect(read('uuid', 'x', { valueType: 'bytea' })).toBe('unknown 0A000');
  });
});

describe('the type of a parameter', () => {
  it('is what Parse or the cast says', () => {
    expect(parameterType(0, null)).toBe('unknown');
    expect(parameterType(23, null)).toBe('int4');
    expect(parameterType(0, 'int8')).toBe('int8');
    expect(parameterType(23, 'int8')).toBe('int8');
    expect(parameterType(1043, 'text')).toBe('text');
  });

  it('is not known where the cast could change the value', () => {
    expect(parameterType(25, 'bpchar')).toBeNull();
    expect(parameterType(1700, 'int4')).toBeNull();
    expect(parameterType(16, null)).toBeNull();
  });
});

type Options = {
  readonly valueType?: string;
  readonly use?: KeyUse;
  readonly timeZone?: string | null;
};

function target(keyType: KeyType, valueType = 'unknown', use: KeyUse = 'compare') {
  return { keyType, valueType, use };
}

function read(keyType: KeyType, text: string, options: Options = {}): string {
  const { valueType, use, timeZone = 'UTC' } = options;
  return spoken(keyType, keyFromText(target(keyType, valueType, use), text, timeZone));
}

function spoken(keyType: KeyType, reading: KeyReading): string {
  switch (reading.kind) {
    case 'key':
      return keyText(keyType, reading.key);
    case 'invalid':
      return reading.error.sqlState;
    case 'unknown':
      return `unknown ${reading.error.sqlState}`;
    default:
      return reading.kind;
  }
}
