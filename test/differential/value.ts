import type { WireValue } from '../support/wire-client.ts';
import type { Dice } from './dice.ts';

export type TypeName = keyof typeof types;

/** A value of a type in PostgreSQL's text form; null is NULL. */
export type Value = { readonly type: TypeName; readonly text: string | null };

type ValueType = {
  readonly oid: number;
  /** As CREATE TABLE and casts write it. */
  readonly sql: string;
  /** An untyped number token in SQL. */
  readonly bare: boolean;
  random(dice: Dice): string;
  /** Absent: such a parameter always travels as text. */
  binary?(text: string): Buffer;
};

// Orders that are easy to get wrong: UTF-16 against UTF-8 (U+FF5E, U+1F600), case, accents, blanks,
// quotes, backslashes, pattern characters, a prefix of another.
const words = [
  ...['', 'a', 'A', 'b', 'B', 'ab', 'aB', 'Zoë', 'zoe', '김민수', 'é', '\uff5e', '\u{1f600}', ' a'],
  ...["it's", 'back\\slash', 'per%cent', 'under_score', 'k', 'K-1', '42', '7', 'ß', '"quoted"'],
  ...['$1', ':x', '--', 'NULL', 'a b', '{a,b}', 'tab\tstop'],
];

const text = (value: string) => Buffer.from(value);
const instantBinary = (value: string) => {
  const microseconds = BigInt(Date.parse(value) - Date.UTC(2000, 0, 1)) * 1000n;
  return int64(microseconds);
};

// Floats are dyadic and moderate, so that their sums are exact whatever the order of addition.
const types = {
  int2: number(
    21,
    'int2',
    (dice) => dice.int(-40, 40),
    (value) => int(2, value),
  ),
  int4: number(
    23,
    'int4',
    (dice) => pool(dice, 60, 2147483647),
    (value) => int(4, value),
  ),
  int8: number(
    20,
    'int8',
    (dice) => pool(dice, 90, 9007199254740991),
    (value) => int64(BigInt(value)),
  ),
  numeric: number(1700, 'numeric', (dice) => dice.int(-5000, 5000) / dice.pick([1, 10, 100, 8])),
  money2: number(1700, 'numeric(12,3)', (dice) => dice.int(-90000, 90000) / 100),
  float4: number(
    700,
    'float4',
    (dice) => dice.int(-400, 400) / 8,
    (value) => {
      const bytes = Buffer.alloc(4);
      bytes.writeFloatBE(Number(value));
      return bytes;
    },
  ),
  float8: number(
    701,
    'float8',
    (dice) => dice.int(-9000, 9000) / 16,
    (value) => {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(Number(value));
      return bytes;
    },
  ),
  bool: {
    oid: 16,
    sql: 'bool',
    bare: true,
    random: (dice: Dice) => dice.pick(['true', 'false']),
    binary: (value: string) => Buffer.from([value === 'true' ? 1 : 0]),
  },
  text: {
    oid: 25,
    sql: 'text',
    bare: false,
    random: (dice: Dice) => dice.pick(words),
    binary: text,
  },
  // Deterministic, but not in byte order.
  label: {
    oid: 25,
    sql: 'text collate "und-x-icu"',
    bare: false,
    random: (dice: Dice) => dice.pick(words),
    binary: text,
  },
  varchar: {
    oid: 1043,
    sql: 'varchar(24)',
    bare: false,
    random: (dice: Dice) => dice.pick(words),
    binary: text,
  },
  bpchar: {
    oid: 1042,
    sql: 'char(6)',
    bare: false,
    random: (dice: Dice) => dice.pick(['a', 'ab', 'AB', 'zz', '김', '12', '']),
  },
  date: {
    oid: 1082,
    sql: 'date',
    bare: false,
    random: day,
    binary: (value: string) =>
      int(4, String((Date.parse(value) - Date.UTC(2000, 0, 1)) / 86_400_000)),
  },
  time: {
    oid: 1083,
    sql: 'time',
    bare: false,
    random: (dice: Dice) => `${two(dice.int(0, 23))}:${two(dice.int(0, 5))}:00`,
  },
  timestamp: {
    oid: 1114,
    sql: 'timestamp',
    bare: false,
    random: (dice: Dice) => `${day(dice)} ${clock(dice)}`,
    binary: (value: string) => instantBinary(`${value.replace(' ', 'T')}Z`),
  },
  timestamptz: {
    oid: 1184,
    sql: 'timestamptz',
    bare: false,
    random: (dice: Dice) => `${day(dice)} ${clock(dice)}+00`,
    binary: (value: string) => instantBinary(`${value.slice(0, -3).replace(' ', 'T')}Z`),
  },
  interval: {
    oid: 1186,
    sql: 'interval',
    bare: false,
    random: (dice: Dice) =>
      dice.pick(['1 day', '24:00:00', '1 mon', '30 days', '-2 days', '1 year']),
  },
  uuid: {
    oid: 2950,
    sql: 'uuid',
    bare: false,
    random: uuid,
    binary: uuidBinary,
  },
  bytea: {
    oid: 17,
    sql: 'bytea',
    bare: false,
    random: (dice: Dice) => `\\x${dice.pick(['', '00', 'ff', '00ff', '61', '6162', 'fffe', '7f'])}`,
    binary: (value: string) => Buffer.from(value.slice(2), 'hex'),
  },
  jsonb: {
    oid: 3802,
    sql: 'jsonb',
    bare: false,
    random: (dice: Dice) => dice.pick(['{"a": 1}', '[]', '1', 'null', '{"a": [1, 2]}', '"x"']),
  },
  // Of the user's own types, whose OIDs differ from shard to shard: 0 leaves them to be inferred.
  mood: {
    oid: 0,
    sql: 'mood',
    bare: false,
    random: (dice: Dice) => dice.pick(['zealous', 'calm', 'angry']),
  },
  percent: { ...number(1700, 'percent', (dice) => dice.int(0, 9999) / 100), oid: 0 },
  place: {
    oid: 0,
    sql: 'place',
    bare: false,
    random: (dice: Dice) => `(${dice.int(0, 9)},${dice.pick(['', 'hill', '"a b"'])})`,
  },
  numbers: {
    oid: 1007,
    sql: 'int4[]',
    bare: false,
    random: (dice: Dice) => dice.pick(['{}', '{1}', '{3,NULL}', '{-7,0,9}']),
  },
  span: {
    oid: 3904,
    sql: 'int4range',
    bare: false,
    random: (dice: Dice) => dice.pick(['empty', '[1,5)', '[1,5]', '(,0)', '[3,)', '(,)']),
  },
  days: {
    oid: 1182,
    sql: 'date[]',
    bare: false,
    random: (dice: Dice) =>
      dice.pick(['{}', '{NULL}', `{${day(dice)}}`, `{${day(dice)},infinity}`]),
  },
  // Only as parameters and literals for `= any(...)`; no column has them.
  textArray: array(1009, 'text[]', 25, text),
  int4Array: array(1007, 'int4[]', 23, (value) => int(4, value)),
  int8Array: array(1016, 'int8[]', 20, (value) => int64(BigInt(value))),
  uuidArray: array(2951, 'uuid[]', 2950, uuidBinary),
} satisfies { [name: string]: ValueType };

/** Sorted as they are declared, not by name. */
export const createTypesSql = `
  create type mood as enum ('zealous', 'calm', 'angry');
  create domain percent as numeric(5,2) check (value >= 0);
  create type place as (x int4, label text)`;

export function typeOf(name: TypeName): ValueType {
  return types[name];
}

export function randomValue(type: TypeName, dice: Dice): Value {
  return { type, text: typeOf(type).random(dice) };
}

/** The value as an SQL literal; `typed` adds a cast. */
export function literal(value: Value, typed: boolean): string {
  const { bare, sql } = typeOf(value.type);
  const cast = typed ? `::${sql}` : '';
  if (value.text === null) return `null${cast}`;
  const isNegative = value.text.startsWith('-');
  if (bare) return typed && isNegative ? `(${value.text})${cast}` : `${value.text}${cast}`;
  return `'${value.text.replaceAll("'", "''")}'${cast}`;
}

export function wireValue(value: Value, binary: boolean): WireValue {
  if (value.text === null) return null;
  const encode = typeOf(value.type).binary;
  return binary && encode !== undefined ? encode(value.text) : value.text;
}

function number(
  oid: number,
  sql: string,
  random: (dice: Dice) => number,
  binary?: (text: string) => Buffer,
): ValueType {
  const base = { oid, sql, bare: true, random: (dice: Dice) => String(random(dice)) };
  return binary === undefined ? base : { ...base, binary };
}

/** Text form: every item in double quotes, or NULL. */
function array(
  oid: number,
  sql: string,
  itemOid: number,
  itemBinary: (text: string) => Buffer,
): ValueType {
  const binary = (value: string) => {
    // A text 'NULL' among the items stands in quotes.
    const json = value
      .slice(1, -1)
      .replaceAll(/"(?:[^"\\]|\\.)*"|NULL/g, (item) => (item === 'NULL' ? 'null' : item))
      .replaceAll('\t', '\\t');
    const items: (string | null)[] = JSON.parse(`[${json}]`);
    // Dimensions, whether there are NULLs, type of the items; then their number and lower bound.
    const head = [1, items.includes(null) ? 1 : 0, itemOid, items.length, 1];
    const parts = items.flatMap((item) => {
      if (item === null) return [int(4, '-1')];
      const bytes = itemBinary(item);
      return [int(4, String(bytes.length)), bytes];
    });
    return Buffer.concat([...head.map((field) => int(4, String(field))), ...parts]);
  };
  return { oid, sql, bare: false, random: () => '{}', binary };
}

function uuidBinary(value: string): Buffer {
  return Buffer.from(value.replaceAll('-', ''), 'hex');
}

/** Mostly small numbers, so that values repeat; now and then the far ends. */
function pool(dice: Dice, small: number, extreme: number): number {
  return dice.chance(0.04) ? dice.pick([extreme, -extreme]) : dice.int(-small, small);
}

function day(dice: Dice): string {
  return `${dice.int(1998, 2002)}-${two(dice.int(1, 12))}-${two(dice.int(1, 4))}`;
}

function clock(dice: Dice): string {
  return `${two(dice.int(0, 23))}:${two(dice.pick([0, 30]))}:0${dice.pick(['0', '1.5', '2.000001'])}`;
}

function uuid(dice: Dice): string {
  const hex = (count: number) =>
    dice.list(count, () => dice.pick([...'0123456789abcdef'])).join('');
  return `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function int(size: 2 | 4, value: string): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeIntBE(Number(value), 0, size);
  return bytes;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}
