import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSchemaObjects, type SchemaObject } from '../../src/cluster/drift/schema-objects.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import { BothSides } from '../support/both-sides.ts';
import { Dice } from './dice.ts';
import {
  changedTables,
  countedColumns,
  countedFrom,
  type KnownTables,
  SchemaChanges,
} from './schema-changes.ts';

// DIFFERENTIAL_SEED and DIFFERENTIAL_CHANGES choose another run, a longer one for example.
const seed = Number(process.env['DIFFERENTIAL_SEED'] ?? 1);
const scenarios = Number(process.env['DIFFERENTIAL_CHANGES'] ?? 80);
const shards = ['a', 'b', 'c'];

let sides: BothSides;

beforeAll(async () => {
  const distributed = changedTables.distributed.map(
    (name) => `${name}: { distribution: by_id, key: id }`,
  );
  const reference = changedTables.reference.map((name) => `${name}: { reference: true }`);
  sides = await BothSides.start({ shards, tables: [...distributed, ...reference] });
});

afterAll(async () => {
  await sides?.stop();
});

type Answer = { readonly tag: string } | { readonly error: string; readonly message: string };

async function answer(client: Client, text: string): Promise<Answer> {
  try {
    const { command, rowCount, rows } = await client.query({ text, rowMode: 'array' });
    return { tag: `${command} ${rowCount} ${command === 'SELECT' ? JSON.stringify(rows) : ''}` };
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string };
    return { error: code, message };
  }
}

async function knownTables(session: Client): Promise<KnownTables> {
  const { rows } = await session.query<{ name: string; columns: string[] }>(
    `select relname as name, array_agg(attname::text) as columns from pg_class join pg_attribute on attrelid = oid
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and attnum > 0 and not attisdropped
      group by 1`,
  );
  return new Map(rows.map(({ name, columns }) => [name, columns]));
}

/** A row without its key has no shard, whatever else may be wrong with it. */
function hasNoShard(proxied: Answer): boolean {
  return 'error' in proxied && / without its key /.test(proxied.message);
}

/** Null when both sides answer alike, or pgweave refuses and both undo it. */
async function difference(
  statements: readonly string[],
  proxy: Client,
  plain: Client,
): Promise<string | null> {
  for (const [index, text] of statements.entries()) {
    const proxied = await answer(proxy, text);
    if ('error' in proxied && proxied.error === '0A000') {
      if (statements.length > 1) for (const side of [proxy, plain]) await side.query('rollback');
      return null;
    }
    const expected = await answer(plain, text);
    const isSame =
      'error' in proxied && 'error' in expected
        ? proxied.error === expected.error || hasNoShard(proxied)
        : JSON.stringify(proxied) === JSON.stringify(expected);
    if (!isSame) {
      const done = statements.slice(0, index + 1).join('; ');
      return `${done}\n  ${JSON.stringify(proxied)}\n  ${JSON.stringify(expected)} expected`;
    }
  }
  return null;
}

/** Every shard has what the plain server has; what begins with h is the home shard's alone. */
async function schemaDifferences(): Promise<readonly string[]> {
  const expected = linesOf(await onServer(sides.plain.server, objects));
  const found: string[] = [];
  const read = shards.map((shard) =>
    onServer(sides.served.lab.shard(shard).primary, objects).then(linesOf),
  );
  for (const [index, shard] of shards.entries()) {
    const there = new Set(await read[index]);
    const wanted = expected.filter((line) => shard === 'a' || !/ public\.h_/.test(line));
    const missing = wanted.filter((line) => !there.has(line)).map((line) => `without ${line}`);
    const added = [...there].filter((line) => !wanted.includes(line)).map((line) => `with ${line}`);
    found.push(...[...missing, ...added].map((line) => `${shard}: ${line}`));
  }
  return found;
}

function linesOf(found: readonly SchemaObject[]): readonly string[] {
  return found.map(({ kind, name, relation, definition }) => {
    return `${kind} ${relation ?? ''} ${name}: ${definition}`;
  });
}

async function rowDifferences(): Promise<readonly string[]> {
  const found: string[] = [];
  const [plain, ...stored] = await Promise.all(
    [sides.plain.server, ...shards.map((shard) => sides.served.lab.shard(shard).primary)].map(
      (server) => onServer(server, rowsOfTables),
    ),
  );
  for (const [kind, tables] of Object.entries(changedTables)) {
    for (const table of tables) {
      const expected = [...(plain?.get(table) ?? [])].sort();
      const onShards = stored.map((tables) => tables.get(table) ?? []);
      if (kind === 'distributed') found.push(...misplaced(table, onShards));
      const copies = kind === 'distributed' ? [onShards.flat()] : onShards;
      for (const copy of kind === 'home' ? copies.slice(0, 1) : copies) {
        const actual = [...copy].sort();
        if (actual.join('\n') === expected.join('\n')) continue;
        found.push(`${table}: ${actual.join(', ')} instead of ${expected.join(', ')}`);
      }
    }
  }
  return found;
}

/** Rows, by shard, that lie where their key does not belong: each shard but the last has a million. */
function misplaced(table: string, stored: readonly (readonly string[])[]): readonly string[] {
  return stored.flatMap((rows, index) =>
    rows.flatMap((row) => {
      const { id } = JSON.parse(row) as { id: number | 'counted' };
      const last = shards.length - 1;
      const owner = id === 'counted' ? last : Math.min(Math.floor(id / 1_000_000), last);
      return owner === index ? [] : [`${table}: ${row} on ${shards[index]}`];
    }),
  );
}

async function rowsOfTables(session: Client): Promise<ReadonlyMap<string, readonly string[]>> {
  const hidden = countedColumns.map((name) => ` - '${name}'`).join('');
  const row = `(to_jsonb(t)${hidden} || case when id < ${countedFrom} then '{}' else '{"id": "counted"}' end::jsonb)::text`;
  const read = new Map<string, readonly string[]>();
  for (const table of Object.values(changedTables).flat()) {
    const known = await session.query<{ found: boolean }>(
      `select to_regclass('public.${table}') is not null as found`,
    );
    if (known.rows[0]?.found !== true) continue;
    const { rows } = await session.query<{ row: string }>(
      `select ${row} as row from public.${table} t`,
    );
    read.set(
      table,
      rows.map(({ row }) => row),
    );
  }
  return read;
}

async function objects(session: Client): Promise<readonly SchemaObject[]> {
  await session.query('set search_path to pg_catalog');
  const query = async (sql: string, values: readonly string[]) =>
    (await session.query(sql, [...values])).rows;
  return readSchemaObjects({ query }, []);
}

function onServer<Result>(
  server: PostgresServer,
  work: (session: Client) => Promise<Result>,
): Promise<Result> {
  return withSession(server, sides.served.lab.login, work);
}

describe(`random changes of tables, seed ${seed}`, () => {
  it(
    'leave every shard as one PostgreSQL, whether they succeed or not',
    async () => {
      const [proxy, plain] = await Promise.all([sides.served.connect(), sides.connectPlain()]);
      const changes = new SchemaChanges(new Dice(seed));
      for (let count = 0; count < scenarios; count += 1) {
        const statements = changes.next(await knownTables(plain));
        const about = statements.join('; ');
        expect(await difference(statements, proxy, plain)).toBeNull();
        expect([about, ...(await schemaDifferences())]).toEqual([about]);
        expect([about, ...(await rowDifferences())]).toEqual([about]);
      }
      await Promise.all([proxy.end(), plain.end()]);
    },
    60_000 + scenarios * 1_000,
  );
});
