import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import type { Distribution, Key, KeyType } from '../../src/sharding/distribution.ts';
import { hashToBigInt } from '../../src/sharding/hash.ts';
import { hashKey } from '../../src/sharding/hash-key.ts';
import { HashModulo } from '../../src/sharding/hash-modulo.ts';
import { HashRing } from '../../src/sharding/hash-ring.ts';
import { KeyRanges } from '../../src/sharding/key-ranges.ts';
import { keyText } from '../../src/sharding/key-text.ts';
import { keyFromText } from '../../src/sharding/key-value.ts';
import { placementHashSql } from '../../src/sharding/placement-sql.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import { type PlainPostgres, startPlainPostgres } from '../support/lab.ts';
import { type Random, seededRandom } from '../support/random.ts';

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
const textTypes: readonly KeyType[] = ['text', 'varchar', 'bpchar', 'citext'];
const shards = ['a_d', "o'e", 'p\\u', 'v_z'].map((name) => name as ShardId);
const seed = Number(process.env['SEED'] ?? 20_240_105);

let postgres: PlainPostgres;
let query: (text: string, values?: readonly unknown[]) => Promise<readonly unknown[][]>;

beforeAll(async () => {
  postgres = await startPlainPostgres();
  query = (text, values = []) =>
    withSession(postgres.server, { database: 'app', password: null }, async (session) => {
      await session.query("set timezone to 'UTC'; create extension if not exists citext");
      const result = await session.query({ text, values: [...values], rowMode: 'array' });
      return result.rows;
    });
});

afterAll(async () => {
  await postgres?.stop();
});

describe(`on a server (seed ${seed})`, () => {
  for (const keyType of keyTypes) {
    const fold = keyType === 'citext';

    it(`random keys of type ${keyType} have the hash computed here`, async () => {
      const keys = randomKeys(keyType, 500);
      const texts = keys.map((key) => keyText(keyType, key));
      const hash = { high: 0, low: 0 };
      const expected = keys.map((key) => {
        hashKey(fold ? upper(key) : key, hash);
        return hashToBigInt(hash).toString();
      });
      const sql = placementHashSql(keyType, fold, 'k');
      const rows = await query(`select (${sql})::text from unnest($1::${keyType}[]) k`, [texts]);
      expect(rows.map(([value]) => value)).toEqual(expected);
    });

    for (const distribution of distributionsOf(keyType)) {
      const { method } = distribution;
      const title = `${method}${distribution.fold ? ', folded' : ''}`;
      it(`the placement expression finds the shard computed here: ${keyType}, ${title}`, async () => {
        const keys = [...randomKeys(keyType, 400), ...boundsOf(distribution)];
        const texts = keys.map((key) => keyText(keyType, key));
        const sql = distribution.placementSql('t."k"');
        const rows = await query(`select ${sql} from unnest($1::${keyType}[]) as t(k)`, [texts]);
        expect(rows.map(([shard]) => shard)).toEqual(keys.map((key) => distribution.shardOf(key)));
        const [[ofNull] = []] = await query(`select ${sql} from (select null::${keyType} as k) t`);
        expect(ofNull).toBeNull();
      });
    }
  }

  it('the placement expression may stand in a CHECK constraint', async () => {
    const ring = distributionsOf('uuid').find(({ method }) => method === 'ring');
    await query(
      `create table checked (id uuid check (${ring?.placementSql('id')} in ('a_d', 'v_z')))`,
    );
  });
});

function distributionsOf(keyType: KeyType): readonly Distribution[] {
  const folds = textTypes.includes(keyType)
    ? [true, ...(keyType === 'citext' ? [] : [false])]
    : [false];
  return folds.flatMap((fold) => {
    const name = 'd';
    const members = shards.map((shard, index) => ({ shard, weight: index + 1 }));
    const bounds = boundTexts(keyType).map((text) => keyOf(keyType, text));
    const [first, second, third] = bounds as [Key, Key, Key];
    const ranges = [
      { shard: shards[0] as ShardId, from: null, to: first },
      { shard: shards[1] as ShardId, from: first, to: second },
      { shard: shards[2] as ShardId, from: second, to: third },
    ];
    const open = { shard: shards[3] as ShardId, from: third, to: null };
    return [
      new KeyRanges({ name, keyType, fold, shards, ranges: [...ranges, open] }),
      // Without its ends: keys that no range covers.
      new KeyRanges({ name, keyType, fold, shards, ranges: ranges.slice(1) }),
      new HashRing({ name, keyType, fold, members }),
      new HashModulo({ name, keyType, fold, shards, owners: [...shards, ...shards.slice(0, 3)] }),
    ];
  });
}

function boundsOf(distribution: Distribution): readonly Key[] {
  return distribution.portions.flatMap((portion) =>
    portion.kind === 'range' && portion.from !== null ? [portion.from] : [],
  );
}

function boundTexts(keyType: KeyType): readonly string[] {
  switch (keyType) {
    case 'int2':
    case 'int4':
    case 'int8':
      return ['-100', '0', '1000'];
    case 'uuid':
      return ['4', '8', 'c'].map((digit) => `${digit}0000000-0000-0000-0000-000000000000`);
    case 'date':
      return ['0001-01-01 BC', '1970-01-01', '2024-02-29'];
    case 'timestamp':
    case 'timestamptz':
      return ['0001-01-01 00:00:00+00 BC', '1970-01-01 12:00:00.5Z', '2024-02-29 00:00Z'];
    case 'bytea':
      return ['\\x20', '\\x5c', '\\x80ff'];
    default:
      return ['E', "P'\\", 'V'];
  }
}

function randomKeys(keyType: KeyType, count: number): readonly Key[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => keyOf(keyType, randomText(random, keyType)));
}

function randomText(random: Random, keyType: KeyType): string {
  const letters = [...'aAeEkKpPuUvVzZ09 _\'"\\,{}'];
  const others = [...'éÜßıİ김민준Ωж日😀'];
  const twoDigits = (low: number, high: number) =>
    String(random.integer(low, high)).padStart(2, '0');
  switch (keyType) {
    case 'int2':
    case 'int4':
    case 'int8': {
      const bits = random.integer(1, keyType === 'int2' ? 15 : keyType === 'int4' ? 31 : 63);
      const value = BigInt(`0x${random.bytes(8).toString('hex')}`) & ((1n << BigInt(bits)) - 1n);
      return String(random.integer(0, 1) === 0 ? value : -value - 1n);
    }
    case 'uuid':
      return random.bytes(16).toString('hex');
    case 'bytea':
      return `\\x${random.bytes(random.integer(0, 30)).toString('hex')}`;
    case 'date':
    case 'timestamp':
    case 'timestamptz': {
      if (random.integer(0, 20) === 0) return random.pick(['infinity', '-infinity']);
      const year = String(random.integer(1, 4000)).padStart(4, '0');
      const era = random.integer(0, 3) === 0 ? ' BC' : '';
      const day = `${year}-${twoDigits(1, 12)}-${twoDigits(1, 28)}`;
      if (keyType === 'date') return day + era;
      const clock = `${twoDigits(0, 23)}:${twoDigits(0, 59)}:${twoDigits(0, 59)}`;
      return `${day} ${clock}.${random.integer(0, 999_999)}${random.pick(['Z', '+05:30', '-11'])}${era}`;
    }
    default: {
      const alphabet = keyType === 'citext' ? letters : [...letters, ...others];
      return Array.from({ length: random.integer(0, 14) }, () => random.pick(alphabet)).join('');
    }
  }
}

function keyOf(keyType: KeyType, text: string): Key {
  const reading = keyFromText({ keyType, valueType: 'unknown', use: 'compare' }, text);
  if (reading.kind !== 'key') throw new Error(`no key from ${text}`);
  return reading.key;
}

function upper(key: Key): Key {
  if (key.kind !== 'bytes') return key;
  const text = key.bytes.toString('utf8').replace(/[a-z]/g, (letter) => letter.toUpperCase());
  return { kind: 'bytes', bytes: Buffer.from(text) };
}
