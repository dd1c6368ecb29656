import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CatalogueReader,
  type CatalogueReading,
} from '../../src/cluster/catalogue/catalogue-reader.ts';
import { schemaFromSnapshot } from '../../src/cluster/catalogue/catalogue-schema.ts';
import { SystemRelations } from '../../src/cluster/catalogue/system-relations.ts';
import { controlLogin, withControlConnection } from '../../src/cluster/control-connection.ts';
import type { Config, NodeAddress } from '../../src/config/config.ts';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import { withSession } from '../../src/lab/sql.ts';
import type { Schema } from '../../src/planner/schema.ts';
import { buildShardMap } from '../../src/sharding/build-shard-map.ts';
import type { KeyType } from '../../src/sharding/distribution.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import { startTestCluster } from '../support/lab.ts';
import { watchConfig } from '../support/watched-cluster.ts';

const everywhere = `
  create domain amount as numeric(10, 2) not null;
  create domain small_amount as amount;
  create collation german (provider = icu, locale = 'de');
  create collation ignores_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  create table customer (
    id text primary key, name text collate german, nick text collate "POSIX",
    credit small_amount, dropped int, note text collate ignores_case);
  alter table customer drop column dropped;
  create unique index on customer (name, id) include (nick);
  create unique index by_name on customer (name) where credit > 0;
  create table visit (id int8, at date, primary key (id, at)) partition by range (at);
  create table visit_2024 partition of visit for values from ('2024-01-01') to ('2025-01-01');
  create table item (id int4 primary key);
`;

const atHome = `
  create schema "Odd.name";
  create table "Odd.name"."T" (id int);
  create view items as select * from item;
  create view customers as select c.* from customer c, item;
  create view nested as select 1 from customers;
  create view visits as select * from visit_2024;
  create materialized view counted as select count(*) from customer;
  create sequence counter;
`;

let lab: LabCluster;
let config: Config;
const reader = new CatalogueReader();

beforeAll(async () => {
  lab = await startTestCluster({ shards: ['a', 'b'], schema: everywhere });
  await run('a', atHome);
  config = configWith({
    'public.customer': { key: 'id', keyType: 'text' },
    'public.visit': { key: 'id', keyType: 'int8' },
    'public.item': 'reference',
  });
});

afterAll(() => lab?.stop());

describe('the catalogue of real servers', () => {
  it('is read while a table with defaults is being changed', async () => {
    await withSession(lab.shard('b').primary, lab.login, async (session) => {
      await session.query("alter table customer alter nick set default 'none'");
      await session.query('begin; alter table customer add column later int');
      expect((await readSchema()).relation(null, 'customer', ['public'])).toBeDefined();
      await session.query('rollback; alter table customer alter nick drop default');
    });
  });

  it('keeps nobody waiting while it waits for somebody else', async () => {
    const { primary } = lab.shard('a');
    await withSession(primary, lab.login, async (changing) => {
      await changing.query('begin; lock table visit_2024');
      const reading = readSchema();
      await withSession(primary, lab.login, async (other) => {
        // The reader has come to what it waits for, and is past the other tables.
        for (let waiting = 0; waiting === 0; ) {
          const { rowCount } = await other.query('select from pg_locks where not granted');
          waiting = rowCount ?? 0;
        }
        await other.query("set lock_timeout to '2s'; lock table customer, item");
      });
      await changing.query('rollback');
      expect((await reading).relation(null, 'customers', ['public'])).toBeDefined();
    });
  });

  it('knows what has not changed while somebody holds a table of a view', async () => {
    const { primary } = lab.shard('a');
    const before = (await readSchema()).relation(null, 'customers', ['public']);
    await withSession(primary, lab.login, async (holding) => {
      await holding.query('begin; lock table customer');
      await run('a', 'create table meanwhile (id int)');
      const schema = await readSchema();
      expect(schema.relation(null, 'meanwhile', ['public'])).toBeDefined();
      expect(schema.relation(null, 'customers', ['public'])).toEqual(before);
      await holding.query('rollback');
    });
    await run('a', 'drop table meanwhile');
  });

  it.each([
    {
      change: 'create or replace view items as select i.id from item i',
      found: 'FROM public.item i',
      undo: 'create or replace view items as select * from item',
    },
    {
      change: 'alter table item rename id to code',
      found: 'code AS id',
      undo: 'alter table item rename code to id',
    },
  ])('waits for the holder when definitions may have changed: $change', async (given) => {
    await readSchema();
    await withSession(lab.shard('a').primary, lab.login, async (holding) => {
      await holding.query('begin; lock table customer');
      await run('a', given.change);
      const reading = readSchema();
      // By then what was read last would have been taken.
      await new Promise((resolve) => {
        setTimeout(resolve, 1200);
      });
      await holding.query('rollback');
      const { definition } = (await reading).relation(null, 'items', ['public']) ?? {};
      expect(definition).toContain(given.found);
    });
    await run('a', given.undo);
  });

  it('describes columns with domains resolved and collations by their order', async () => {
    const schema = await readSchema();
    const customer = schema.relation(null, 'customer', ['public']);
    expect(customer?.columns).toEqual([
      { name: 'id', typeOid: 25, typeName: 'text', collation: 'c', notNull: true },
      { name: 'name', typeOid: 25, typeName: 'text', collation: 'linguistic', notNull: false },
      { name: 'nick', typeOid: 25, typeName: 'text', collation: 'c', notNull: false },
      { name: 'credit', typeOid: 1700, typeName: 'numeric', collation: 'none', notNull: true },
      {
        name: 'note',
        typeOid: 25,
        typeName: 'text',
        collation: 'nondeterministic',
        notNull: false,
      },
    ]);
    expect(customer?.uniqueKeys).toEqual([['name', 'id'], ['id']]);
    expect(schema.defaultCollation).toBe('c');
  });

  it('gives partitions the sharding of their parent', async () => {
    const schema = await readSchema();
    expect(schema.relation('public', 'visit_2024', [])?.sharding.kind).toBe('distributed');
    expect(schema.relation('public', 'item', [])?.sharding.kind).toBe('reference');
    expect(schema.relation('Odd.name', 'T', [])?.sharding.kind).toBe('local');
  });

  it('knows which views read distributed tables, directly or not', async () => {
    const schema = await readSchema();
    const reads = (name: string) => schema.relation(null, name, ['public'])?.readsDistributed;
    expect(['items', 'customers', 'nested', 'visits', 'counted'].map(reads)).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
    expect(schema.relation(null, 'counter', ['public'])?.kind).toBe('sequence');
    expect(schema.relation(null, 'counted', ['public'])?.kind).toBe('materialized-view');
  });

  it('finds system relations before those of the search path', async () => {
    const schema = await readSchema();
    expect(schema.relation(null, 'pg_class', ['public'])?.schema).toBe('pg_catalog');
    expect(schema.relation('information_schema', 'tables', [])?.kind).toBe('view');
    expect(schema.relation(null, 'nothing', ['public'])).toBeNull();
  });

  it('keeps its version while nothing changes', async () => {
    const first = await read(config);
    expect(JSON.stringify(await read(config))).toBe(JSON.stringify(first));
    await run('a', 'create table added (id int)');
    expect((await read(config)).snapshot.version).toBe(first.snapshot.version + 1);
  });

  it('reports a unique index without the key', async () => {
    const { mistakes } = await read(config);
    expect(
      mistakes.map(({ severity, shard, message }) => `${severity} ${shard} ${message}`),
    ).toEqual([
      'warning a unique index by_name does not contain the key column id',
      'warning b unique index by_name does not contain the key column id',
    ]);
  });

  it('reports keys that cannot work as errors', async () => {
    const { mistakes } = await read(
      configWith({
        'public.customer': { key: 'note', keyType: 'text' },
        'public.visit': { key: 'id', keyType: 'int4' },
        'public.item': { key: 'code', keyType: 'int4' },
      }),
    );
    const errors = mistakes.filter(({ severity, shard }) => severity === 'error' && shard === 'a');
    expect(errors.map(({ table, message }) => `${table}: ${message}`)).toEqual([
      'public.customer: the key column note has a nondeterministic collation: equal keys could lie on different shards',
      'public.visit: the key column id is of type int8, the distribution by_int4 is of type int4',
      'public.item: the key column code does not exist',
    ]);
  });

  it('reports differences between shards', async () => {
    await run('b', 'alter table item add extra int; alter table customer alter name type varchar');
    await run('b', "alter table visit rename to visited; alter database app set timezone = 'CET'");
    const { mistakes } = await read(config);
    const onB = mistakes.filter(({ shard }) => shard === 'b').map(({ message }) => message);
    expect(onB).toEqual(
      expect.arrayContaining([
        'TimeZone is CET, on the home shard it is UTC',
        'public.visit does not exist',
        'type of column name is varchar, on shard a it is text',
        'its columns are (id, extra), on shard a they are (id)',
      ]),
    );
  });

  it('reads the relations of the system again only when they have changed', async () => {
    const system = new SystemRelations();
    const [node] = config.nodes.get('a' as ShardId) ?? [];
    if (node === undefined) throw new Error('no node');
    const options = { node, login: controlLogin(config), timeoutMs: 10_000 };
    await withControlConnection(options, async (session) => {
      const first = await system.read(session);
      expect(first.length).toBeGreaterThan(100);
      expect(await system.read(session)).toBe(first);
      await session.execute('grant select on pg_catalog.pg_class to public');
      const second = await system.read(session);
      expect(second).not.toBe(first);
      expect(second).toEqual(first);
    });
  });

  it('does not answer with a gap', async () => {
    await expect(reader.read(config, () => null)).rejects.toMatchObject({ sqlState: '57P03' });
  });
});

async function readSchema(): Promise<Schema> {
  return schemaFromSnapshot((await read(config)).snapshot, config.shardMap, 1);
}

function read(used: Config): Promise<CatalogueReading> {
  const primaryOf = (shard: ShardId): NodeAddress | null => used.nodes.get(shard)?.[0] ?? null;
  return reader.read(used, primaryOf);
}

async function run(shard: string, sql: string): Promise<void> {
  await withSession(lab.shard(shard).primary, lab.login, (session) => session.query(sql));
}

type Listed = { readonly key: string; readonly keyType: KeyType } | 'reference';

/** Distributed tables lie on both shards; where a key lies is of no interest here. */
function configWith(tables: { readonly [name: string]: Listed }): Config {
  const base = watchConfig(lab, { stateDirectory: '/nonexistent' });
  const { shards, home } = base.shardMap;
  const keyTypes = new Set(
    Object.values(tables).flatMap((listed) => (listed === 'reference' ? [] : [listed.keyType])),
  );
  const shardMap = buildShardMap({
    version: 1,
    shards,
    home,
    distributions: [...keyTypes].map((keyType) => ({
      name: `by_${keyType}`,
      keyType,
      fold: false,
      placement: { method: 'modulo', owners: shards },
    })),
    tables: Object.entries(tables).map(([table, listed]) =>
      listed === 'reference'
        ? { kind: 'reference', table }
        : { kind: 'distributed', table, distribution: `by_${listed.keyType}`, key: listed.key },
    ),
  });
  return { ...base, shardMap };
}
