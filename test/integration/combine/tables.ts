import type { CollationKind, RelationSchema, Schema } from '../../../src/planner/schema.ts';
import { demoMap } from '../../support/demo-schema.ts';
import type { Random } from '../../support/random.ts';

/** Of a table that is distributed by `k`; equal to those of the catalogue that the planner sees. */
const columns: readonly (readonly [
  name: string,
  type: string,
  typeName: string,
  kind: CollationKind,
])[] = [
  ['k', 'int4 not null', 'int4', 'none'],
  ['id', 'int8 not null', 'int8', 'none'],
  ['rid', 'int4', 'int4', 'none'],
  ['g', 'text', 'text', 'c'],
  ['txt', 'text collate "de-x-icu"', 'text', 'linguistic'],
  ['ci', 'text collate public.blind', 'text', 'nondeterministic'],
  ['v', 'varchar(10)', 'varchar', 'c'],
  ['c', 'char(4)', 'bpchar', 'c'],
  ['i2', 'int2', 'int2', 'none'],
  ['i4', 'int4', 'int4', 'none'],
  ['i8', 'int8', 'int8', 'none'],
  ['n', 'numeric(10, 2)', 'numeric', 'none'],
  ['m', 'numeric', 'numeric', 'none'],
  ['f4', 'float4', 'float4', 'none'],
  ['f8', 'float8', 'float8', 'none'],
  ['b', 'bool', 'bool', 'none'],
  ['d', 'date', 'date', 'none'],
  ['ts', 'timestamptz', 'timestamptz', 'none'],
  ['iv', 'interval', 'interval', 'none'],
  ['bits', 'bit(4)', 'bit', 'none'],
  ['j', 'jsonb', 'jsonb', 'none'],
];

export const tablesSql = `
  create table t (${columns.map(([name, type]) => `${name} ${type}`).join(', ')});
  create table ref (item int4 primary key, name text, weight numeric);
  insert into ref select x, nullif('name ' || x % 4, 'name 0'), x / 2.0 from generate_series(1, 6) x;
`;

/** A nondeterministic collation: upper and lower case are equal. */
export const collationSql =
  "create collation public.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";

export function combineSchema(): Schema {
  const relation = (name: string, more: Partial<RelationSchema>): RelationSchema => ({
    schema: 'public',
    name,
    kind: 'table',
    sharding: { kind: 'reference' },
    residence: { kind: 'every-shard', lacking: [] },
    columns: [],
    readsDistributed: false,
    uniqueKeys: [],
    estimatedRows: null,
    definition: null,
    ...more,
  });
  const column = (name: string, typeName: string, collation: CollationKind, typeOid: number) => ({
    name,
    typeName,
    typeOid,
    collation,
    notNull: false,
  });
  const event = demoMap.tables.get('public.event');
  if (event?.kind !== 'distributed') throw new Error('the demo has a distributed table');
  const relations = [
    relation('t', {
      sharding: { ...event, key: 'k' },
      columns: columns.map(([name, , typeName, kind], index) =>
        column(name, typeName, kind, index + 1),
      ),
    }),
    relation('ref', {
      columns: [
        column('item', 'int4', 'none', 1),
        column('name', 'text', 'c', 2),
        column('weight', 'numeric', 'none', 3),
      ],
      uniqueKeys: [['item']],
    }),
  ];
  return {
    version: 1,
    defaultCollation: 'c',
    leftovers: { names: new Set(), settings: [] },
    hasFunctions: false,
    functions: () => [],
    relation: (_, name) => relations.find((each) => each.name === name) ?? null,
    indexed: () => null,
  };
}

/** Rows as a list of VALUES; `k` is first. Few different values, many NULLs, sums that floats hold. */
export function drawRows(random: Random, count: number): readonly (readonly string[])[] {
  const maybe = (text: string) => (random.integer(0, 6) === 0 ? 'null' : text);
  const word = () => random.pick(['a', 'B', 'b', 'ä', 'Zoe', 'zoe', 'ant', 'Ant', 'o-o', 'oo', '']);
  return Array.from({ length: count }, (_, index) => [
    String(random.integer(1, 12)),
    String(index + 1),
    maybe(String(random.integer(1, 7))),
    maybe(`'${random.pick(['a', 'b', 'c', 'B', ''])}'`),
    maybe(`'${word()}'`),
    maybe(`'${word()}'`),
    maybe(`'${random.pick(['a', 'abc', 'x', 'ab '])}'`),
    maybe(`'${random.pick(['a', 'ab', 'abcd', ''])}'`),
    maybe(String(random.integer(-3, 6))),
    maybe(String(random.integer(-2, 12))),
    maybe(random.pick(['1', '-5', '9007199254740993', '12'])),
    maybe(`${random.integer(-5, 5)}.${random.integer(0, 3)}5`),
    maybe(random.pick(['1', '1.0', '1.00', '2.500', '-0.125', '1e10', '0'])),
    maybe(String(random.integer(-20, 20) / 4)),
    maybe(String(random.integer(-20, 20) / 4)),
    maybe(random.pick(['true', 'false'])),
    maybe(`'2024-0${random.integer(1, 9)}-11'`),
    maybe(`'2024-0${random.integer(1, 3)}-11 12:0${random.integer(0, 9)}:00+00'`),
    maybe(
      `'${random.integer(0, 3)} months ${random.integer(-3, 40)} days 0${random.integer(0, 9)}:30'`,
    ),
    maybe(random.pick(["B'0101'", "B'1111'", "B'1100'"])),
    maybe(`'{"a": ${random.integer(1, 3)}}'`),
  ]);
}
