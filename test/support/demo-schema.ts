import type {
  CollationKind,
  ColumnSchema,
  FunctionSchema,
  RelationSchema,
  Schema,
} from '../../src/planner/schema.ts';
import { buildShardMap } from '../../src/sharding/build-shard-map.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import type { ShardMap, TableSharding } from '../../src/sharding/shard-map.ts';

export const demoShards = ['a_d', 'e_o', 'p_u', 'v_z'] as ShardId[];
const [a_d = '' as ShardId, e_o = '' as ShardId, p_u = '' as ShardId, v_z = '' as ShardId] =
  demoShards;
const bytes = (text: string) => ({ kind: 'bytes', bytes: Buffer.from(text) }) as const;

/** The demo's map: customers by range, chats and events by ring, items on every shard. */
export const demoMap: ShardMap = buildShardMap({
  version: 1,
  shards: demoShards,
  home: a_d,
  distributions: [
    {
      name: 'customer',
      keyType: 'text',
      fold: true,
      placement: {
        method: 'ranges',
        ranges: [
          { shard: a_d, from: null, to: bytes('E') },
          { shard: e_o, from: bytes('E'), to: bytes('P') },
          { shard: p_u, from: bytes('P'), to: bytes('V') },
          { shard: v_z, from: bytes('V'), to: null },
        ],
      },
    },
    {
      name: 'chat',
      keyType: 'uuid',
      fold: false,
      placement: { method: 'ring', members: demoShards.map((shard) => ({ shard, weight: 1 })) },
    },
    {
      name: 'event',
      keyType: 'int8',
      fold: false,
      placement: { method: 'modulo', owners: demoShards },
    },
  ],
  tables: [
    { kind: 'distributed', table: 'public.customer', distribution: 'customer', key: 'cust_id' },
    { kind: 'distributed', table: 'public.reservation', distribution: 'customer', key: 'cust_id' },
    { kind: 'distributed', table: 'public.chat_session', distribution: 'chat', key: 'id' },
    { kind: 'distributed', table: 'public.event', distribution: 'event', key: 'event_id' },
    { kind: 'reference', table: 'public.item' },
  ],
});

const typeOids: { readonly [name: string]: number } = {
  text: 25,
  int4: 23,
  int8: 20,
  numeric: 1700,
  float4: 700,
  bool: 16,
  date: 1082,
  timestamptz: 1184,
  uuid: 2950,
  jsonb: 3802,
  bpchar: 1042,
};

/** `name type` or `name type collation`. */
function columns(list: string): readonly ColumnSchema[] {
  return list.split(', ').map((entry) => {
    const [name = '', typeName = '', collation = ''] = entry.split(' ');
    const isText = typeName === 'text' || typeName === 'bpchar';
    const kind = collation === '' ? (isText ? 'linguistic' : 'none') : collation;
    return {
      name,
      typeName,
      typeOid: typeOids[typeName] ?? 0,
      collation: kind as CollationKind,
      notNull: false,
    };
  });
}

function relation(name: string, list: string, more: Partial<RelationSchema> = {}): RelationSchema {
  const sharding: TableSharding = demoMap.tables.get(`public.${name}`) ?? { kind: 'local' };
  return {
    schema: 'public',
    name,
    kind: 'table',
    sharding,
    columns: columns(list),
    residence: sharding.kind === 'local' ? { kind: 'home' } : { kind: 'every-shard', lacking: [] },
    readsDistributed: false,
    uniqueKeys: [],
    estimatedRows: null,
    definition: null,
    ...more,
  };
}

const relations: readonly RelationSchema[] = [
  relation('customer', 'cust_id text c, name text, city text c, grade bpchar c, vip bool'),
  relation(
    'reservation',
    'reserve_id int8, cust_id text c, payment numeric, item_id int4, date date, score float4',
  ),
  relation('chat_session', 'id uuid, title text, started timestamptz'),
  relation('event', 'event_id int8, kind text c, amount int4, payload jsonb'),
  relation('item', 'item_id int4, name text, price numeric'),
  relation('note', 'id int4, cust_id text, body text'),
  relation('ticket', 'last_value int8', {
    kind: 'sequence',
    residence: { kind: 'every-shard', lacking: [] },
  }),
  relation('note_id_seq', 'last_value int8', { kind: 'sequence' }),
  relation('big_spender', 'cust_id text c, total numeric', {
    kind: 'view',
    readsDistributed: true,
    residence: { kind: 'every-shard', lacking: [] },
    definition:
      ' SELECT reservation.cust_id,\n    sum(reservation.payment) AS sum\n   FROM public.reservation\n' +
      '  WHERE (reservation.payment > (100)::numeric)\n  GROUP BY reservation.cust_id;',
  }),
];

/** `product` is an aggregate; `nightly_rate` may read tables, `discount` reference tables only. */
const functions: readonly FunctionSchema[] = (
  [
    ['initials', 'function', true],
    ['words', 'set', true],
    ['product', 'aggregate', true],
    ['nightly_rate', 'function', false],
    ['discount', 'function', false, 'declared'],
  ] as const
).map(([name, kind, isImmutable, declared]) => ({
  schema: 'public',
  name,
  kind,
  isImmutable,
  isDeclared: declared === 'declared',
  isBuiltinName: false,
  isHidden: false,
}));

export function demoSchema(defaultCollation: CollationKind = 'linguistic'): Schema {
  return {
    version: 1,
    defaultCollation,
    leftovers: { names: new Set(), settings: [] },
    hasFunctions: true,
    functions(schema, name, searchPath) {
      const schemas = schema === null ? searchPath : [schema];
      return functions.filter((each) => each.name === name && schemas.includes(each.schema));
    },
    relation(schema, name, searchPath) {
      const schemas = schema === null ? searchPath : [schema];
      return relations.find((each) => each.name === name && schemas.includes(each.schema)) ?? null;
    },
    indexed(schema, name, searchPath) {
      const table = name === 'note_body' ? 'note' : name === 'customer_name' ? 'customer' : '';
      return this.relation(schema, table, searchPath);
    },
  };
}
