import type { Client } from 'pg';
import { DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import type { KeyType } from '../../src/sharding/distribution.ts';
import type { KeyReading, KeyTarget } from '../../src/sharding/key-reading.ts';
import { keyText } from '../../src/sharding/key-text.ts';
import { keyFromBinary, keyFromText } from '../../src/sharding/key-value.ts';
import { type PlainPostgres, startPlainPostgres } from '../support/lab.ts';

// The server is the judge: whatever is read as a key here must mean the same there.

let postgres: PlainPostgres;

beforeAll(async () => {
  postgres = await startPlainPostgres();
});

afterAll(async () => {
  await postgres?.stop();
});

const spellings: { readonly [type in KeyType]?: readonly string[] } = {
  int2: ['32767', '-32768', '32768', '-0x8000', ' 7 ', '', 'x', '+1'],
  int4: [
    '0',
    '007',
    ' \t42\n',
    '+1_000',
    '1__0',
    '_1',
    '1_',
    '0x_1F',
    '0X1f',
    '0o17',
    '-0b1_0',
    '0x',
    '0b2',
    '1e3',
    '4.0',
    '- 1',
    '--1',
    '2147483648',
    '-2147483648',
    '99999999999999999999',
    '٣',
  ],
  int8: [
    '9223372036854775807',
    '-9223372036854775808',
    '9223372036854775808',
    '0x7fffffffffffffff',
  ],
  uuid: [
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    'A0EEBC999C0B4EF8BB6D6BB9BD380A11',
    '{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}',
    'a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11',
    'a0eebc-99-9c0b4ef8-bb6d6bb9-bd380a11',
    '{a0eebc999c0b4ef8bb6d6bb9bd380a11',
    'a0eebc999c0b4ef8bb6d6bb9bd380a11}',
    ' a0eebc999c0b4ef8bb6d6bb9bd380a11',
    'a0eebc999c0b4ef8bb6d6bb9bd380a1',
    'a0eebc999c0b4ef8bb6d6bb9bd380a11-',
  ],
  bytea: [
    '',
    '\\x',
    '\\x00fF',
    '\\x 01 02\n',
    '\\x0',
    '\\x0g',
    '\\x0 102',
    '\\xé',
    'abc',
    'a\\001\\\\',
    'a\\400',
    'é',
    '\\',
  ],
  date: [
    '2024-02-29',
    '2023-02-29',
    ' 2024-1-5 ',
    '20240105',
    '2024-01-05 10:20:30',
    '2024-01-05T10:20:30.5Z',
    '2024-01-05 +01',
    '2024-01-05 23:59:59.9999999+05',
    '0044-03-15 BC',
    '0044-03-15bc',
    '2024-01-05 AD',
    '0000-01-01',
    '2024-13-01',
    '2024-00-10',
    '2024-01-32',
    '099-01-05',
    '12024-01-05',
    '4714-11-24 BC',
    '4714-11-23 BC',
    '5874897-12-31',
    '5874898-01-01',
    'infinity',
    '-Infinity',
    ' +infinity ',
    '2024-01-05 25:00',
    '2024-01-05 10:60',
  ],
  timestamp: [
    '2024-01-05',
    '2024-01-05 10:20',
    '2024-01-05t10:20:30',
    '20240105 10:20:30',
    '20240105T10:20:30',
    '2024-01-05 1:2:3.000001',
    '2024-01-05 10:20:30.',
    '2024-01-05 10:20:30.1234565',
    '2024-01-05 10:20:30.1234575',
    '2024-01-05 10:20:30.9999999',
    '2024-12-31 23:59:59.9999999',
    '2024-01-05 10:20:30+02',
    '2024-01-05 10:20:30 -02:30:15 BC',
    '1999-12-31 23:59:59.999999',
    '4714-11-24 00:00:00 BC',
    '4714-11-23 23:59:59 BC',
    '294276-12-31 23:59:59.999999',
    '294277-01-01',
    'infinity',
    '-infinity',
    '2024-02-30 10:00',
    '2024-01-05 10:20:61',
    '2024-01-05   10:20',
  ],
  timestamptz: [
    '2024-01-05 10:20:30+00',
    '2024-01-05 10:20:30Z',
    '2024-01-05 10:20:30 z',
    '2024-01-05 10:20:30-0230',
    '2024-01-05 10:20:30 +05:30:15',
    '2024-01-05 10:20:30.5-15:59:59',
    '2024-01-05 +01',
    '2024-01-05 10:20:30',
    '2024-01-05 10:20+14 BC',
    '4714-11-24 00:00:00+00 BC',
    '4714-11-24 00:00:00+01 BC',
    'infinity',
  ],
  text: ['', ' a ', 'Kim', '김', "o'neil\\"],
  varchar: ['a '],
  bpchar: ['a   ', '   ', 'a b '],
};

/** Spelled so that settings or the day decide, or hardly ever used: never read here. */
const notRead: { readonly [type in KeyType]?: readonly string[] } = {
  date: [
    'Jan 5 2024',
    '05/01/2024',
    '1/2/3',
    'today',
    'epoch',
    '2024-005',
    'J2451187',
    '24-01-05',
    'x',
  ],
  timestamp: [
    'now',
    '2024-01-05 24:00:00',
    '2024-01-05 23:59:60',
    '2024-01-05 10 PM',
    '20240105T1020',
  ],
  timestamptz: [
    '2024-01-05 10:20 Europe/Berlin',
    '2024-01-05 10:20+16',
    '2024-01-05 10:20:30+02:60',
    '2024-01-05 10:20 EST',
  ],
};

describe('a literal', () => {
  for (const [name, texts] of Object.entries(spellings)) {
    const keyType = name as KeyType;
    const target: KeyTarget = { keyType, valueType: 'unknown', use: 'compare' };

    it(`of type ${keyType} is read as the server reads it`, async () => {
      await inSession(async (session) => {
        for (const text of texts) {
          const here = spoken(keyType, keyFromText(target, text, 'UTC'));
          const there = await outcome(session, `select ($1::${keyType})::text`, [text]);
          expect([text, here]).toEqual([text, there]);
        }
      });
    });

    it(`of type ${keyType} is the same key in binary format`, async () => {
      await inSession(async (session) => {
        for (const text of texts) {
          const reading = keyFromText(target, text, 'UTC');
          if (reading.kind !== 'key') continue;
          const bytes = await sent(session, keyType, text);
          expect([text, keyFromBinary(target, bytes)]).toEqual([text, reading]);
        }
      });
    });
  }

  it('that settings decide is not guessed', () => {
    for (const [name, texts] of Object.entries(notRead)) {
      const target: KeyTarget = { keyType: name as KeyType, valueType: 'unknown', use: 'compare' };
      const kinds = texts.map((text) => keyFromText(target, text, 'UTC').kind);
      expect(kinds).toEqual(texts.map(() => 'unknown'));
    }
  });
});

type Pair = readonly [keyType: KeyType, valueType: string, text: string];
const pairs: readonly Pair[] = [
  ['int4', 'int8', '4294967296'],
  ['int2', 'int4', '-7'],
  ['int8', 'int2', '300'],
  ['int4', 'numeric', '42.0'],
  ['int4', 'numeric', '42.5'],
  ['int4', 'numeric', '-42.5'],
  ['int8', 'numeric', '-0.001'],
  ['int8', 'numeric', '1234567890123456.789'],
  ['int8', 'numeric', '0'],
  ['int8', 'numeric', '12e3'],
  ['int8', 'numeric', '1200e-2'],
  ['int4', 'float8', '42'],
  ['int4', 'float8', '-0.5'],
  ['int8', 'float4', '16777216'],
  ['text', 'bpchar', 'a  '],
  ['text', 'varchar', 'a  '],
  ['text', 'name', 'abc'],
  ['varchar', 'text', 'a '],
  ['bpchar', 'varchar', 'a  '],
  ['bpchar', 'text', 'a'],
  ['date', 'timestamp', '2024-01-05 00:00:00'],
  ['date', 'timestamp', '2024-01-05 00:00:00.000001'],
  ['date', 'timestamp', '1999-12-31 23:59:59'],
  ['date', 'timestamp', '-infinity'],
  ['date', 'timestamptz', '2024-01-05 02:00:00+02'],
  ['timestamp', 'date', '2024-01-05'],
  ['timestamp', 'date', 'infinity'],
  ['timestamp', 'timestamptz', '2024-01-05 10:00:00+02'],
  ['timestamptz', 'timestamp', '2024-01-05 10:00:00'],
  ['timestamptz', 'date', '1900-01-05'],
];

describe('a value of another type', () => {
  it('equals the key that is read, or lies between its neighbours', async () => {
    await inSession(async (session) => {
      for (const [keyType, valueType, text] of pairs) {
        const reading = keyFromText({ keyType, valueType, use: 'compare' }, text, 'UTC');
        const limits =
          reading.kind === 'key'
            ? [[reading.key, '='] as const]
            : reading.kind === 'no-match'
              ? [[reading.below, '<'] as const, [reading.above, '>'] as const]
              : [];
        expect([keyType, valueType, text, limits.length > 0]).toEqual([
          keyType,
          valueType,
          text,
          true,
        ]);
        for (const [key, operator] of limits) {
          if (key === null) continue;
          // Wide enough for a bigint that an integer key is compared with.
          const type = keyType.startsWith('int') ? 'int8' : keyType;
          const sql = `select (($1::text)::${type} ${operator} ($2::text)::${valueType})::text`;
          const answer = await outcome(session, sql, [keyText(keyType, key), text]);
          expect([keyType, valueType, text, operator, answer]).toEqual([
            keyType,
            valueType,
            text,
            operator,
            'true',
          ]);
        }
      }
    });
  });

  it('is the same in binary format', async () => {
    await inSession(async (session) => {
      for (const [keyType, valueType, text] of pairs) {
        const target: KeyTarget = { keyType, valueType, use: 'compare' };
        const reading = keyFromText(target, text, 'UTC');
        const fromBinary = keyFromBinary(target, await sent(session, valueType, text), 'UTC');
        expect([keyType, valueType, text, fromBinary]).toEqual([keyType, valueType, text, reading]);
      }
    });
  });

  it('is converted as the server does when it is stored', async () => {
    const stored: readonly Pair[] = [
      ...pairs,
      ['int4', 'numeric', '2.5'],
      ['int4', 'numeric', '-2.5'],
      ['int4', 'numeric', '0.4999'],
      ['int4', 'numeric', '2147483647.5'],
      ['int2', 'int4', '40000'],
      ['text', 'int4', '-42'],
      ['date', 'timestamp', '1999-12-31 23:59:59'],
    ];
    await inSession(async (session) => {
      for (const [keyType, valueType, text] of stored) {
        const reading = keyFromText({ keyType, valueType, use: 'assign' }, text, 'UTC');
        if (reading.kind === 'unknown') continue;
        const sql = `select (($1::text)::${valueType})::${keyType}::text`;
        const there = await outcome(session, sql, [text]);
        expect([keyType, valueType, text, spoken(keyType, reading)]).toEqual([
          keyType,
          valueType,
          text,
          there,
        ]);
      }
    });
  });
});

async function inSession(work: (session: Client) => Promise<void>): Promise<void> {
  await withSession(postgres.server, { database: 'app', password: null }, async (session) => {
    await session.query(
      "set timezone to 'UTC'; set datestyle to 'ISO, MDY'; set extra_float_digits to 1",
    );
    await work(session);
  });
}

/** The key as the server prints it, or SQLSTATE and message of the refusal. */
function spoken(keyType: KeyType, reading: KeyReading): string {
  switch (reading.kind) {
    case 'key':
      return keyText(keyType, reading.key);
    case 'invalid':
      return `${reading.error.sqlState} ${reading.error.message}`;
    default:
      return reading.kind;
  }
}

async function outcome(session: Client, sql: string, values: readonly string[]): Promise<string> {
  try {
    const { rows } = await session.query({ text: sql, values: [...values], rowMode: 'array' });
    return String(rows[0]?.[0]);
  } catch (error) {
    if (error instanceof DatabaseError) return `${error.code} ${error.message}`;
    throw error;
  }
}

async function sent(session: Client, type: string, text: string): Promise<Buffer> {
  const functions: { readonly [type: string]: string } = {
    text: 'textsend',
    varchar: 'varcharsend',
    bpchar: 'bpcharsend',
    name: 'namesend',
    int2: 'int2send',
    int4: 'int4send',
    int8: 'int8send',
    bytea: 'byteasend',
    float4: 'float4send',
    float8: 'float8send',
  };
  const send = functions[type] ?? `${type}_send`;
  const { rows } = await session.query(`select ${send}(($1::text)::${type}) as bytes`, [text]);
  return rows[0].bytes;
}
