import type { Locale } from '../../src/lab/data-directory.ts';
import { findFreePorts } from '../../src/lab/free-port.ts';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import { withSession } from '../../src/lab/sql.ts';
import { type PlainPostgres, startPlainPostgres, startTestCluster } from '../support/lab.ts';
import { type RunningPgweave, startPgweave } from '../support/pgweave.ts';
import { WireClient } from '../support/wire-client.ts';
import { createFunctionsSql } from './own-functions.ts';
import { createProceduresSql } from './routines.ts';
import { insertRowsSql, type Row, type Rows } from './rows.ts';
import type { Sides } from './sides.ts';
import { createTableSql, type Table, type Tables } from './table.ts';
import { createTypesSql, literal } from './value.ts';
import { shardNames, worldConfig } from './world-config.ts';

const login = { user: 'app', database: 'app' };

export type WorldOptions = {
  readonly shardCount: number;
  readonly sessionCount: number;
  /** Of the databases. */
  readonly locale: Locale;
};

/** The same tables and rows on one plain PostgreSQL and, behind pgweave, on some shards. */
export type World = {
  readonly sessions: Sides[];
  /** A new session in the place of one that has ended. */
  reopen(session: number): Promise<void>;
  readonly plain: WireClient;
  /** A session on each shard's primary, past pgweave. */
  readonly shards: readonly WireClient[];
  readonly proxy: RunningPgweave;
  stop(): Promise<void>;
};

export async function startWorld(tables: Tables, options: WorldOptions): Promise<World> {
  const { shardCount, sessionCount, locale } = options;
  const shards = shardNames(shardCount);
  const undo: (() => unknown)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const made = Object.values(tables).map(createTableSql);
    const schema = [createTypesSql, ...made, createFunctionsSql, createProceduresSql].join('; ');
    const cluster = await startTestCluster({ shards, locale });
    undo.push(() => cluster.stop());
    await Promise.all(cluster.shards.map((_, shard) => createSchema(cluster, shard, schema)));
    const plainServer = await startPlainPostgres({ schema, locale });
    undo.push(() => plainServer.stop());
    const [port = 0, adminPort = 0] = await findFreePorts(2);
    const proxy = await startPgweave(
      worldConfig(cluster, tables, { port, adminPort }, plainServer.server),
      port,
      login,
    );
    undo.push(() => proxy.stop());
    const world = await connect(cluster, plainServer, proxy, sessionCount);
    undo.push(() => closeAll(world));
    return { ...world, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * On the plain server in bulk; through pgweave row by row, which is the first test of its routing,
 * but for reference tables.
 */
export async function loadRows(world: World, rows: Rows): Promise<void> {
  for (const [table, tableRows] of rows) {
    if (tableRows.length === 0) continue;
    const bulk = insertRowsSql(table, tableRows);
    await world.plain.query(bulk);
    if (table.kind === 'reference') await world.sessions[0]?.proxy.query(bulk);
    else await loadThroughProxy(world, table, tableRows);
  }
}

/** The OIDs of its types differ from shard to shard. */
async function createSchema(cluster: LabCluster, shard: number, schema: string): Promise<void> {
  const primary = cluster.shards[shard]?.primary;
  if (primary === undefined) throw new Error('a shard is missing');
  await withSession(primary, cluster.login, async (session) => {
    await session.query('set role app');
    for (let spent = 0; spent < 3 * shard; spent++) {
      await session.query('create type spent as enum (); drop type spent');
    }
    await session.query(schema);
  });
}

async function loadThroughProxy(world: World, table: Table, rows: readonly Row[]): Promise<void> {
  await Promise.all(
    world.sessions.map(async ({ proxy }, session) => {
      const share = rows.filter((_, index) => index % world.sessions.length === session);
      for (const row of share) await proxy.query(insertRowsSql(table, [row]));
    }),
  );
}

/**
 * What is stored now, compared: rows of all shards together against the plain server's, and each
 * key looked up through pgweave. Returns what differs.
 */
export async function storedDifferences(world: World, tables: Tables): Promise<string[]> {
  const found: string[] = [];
  for (const table of Object.values(tables)) {
    const text = `select t::text from ${table.name} t order by 1`;
    const expected = (await world.plain.query(text)).flat();
    const stored = await Promise.all(world.shards.map((shard) => shard.query(text)));
    const copies = table.kind === 'reference' ? stored : [stored.flat()];
    for (const copy of copies) {
      const actual = copy.flat().sort();
      if (JSON.stringify(actual) !== JSON.stringify([...expected].sort())) {
        found.push(`${table.name}: ${actual.length} rows stored, ${expected.length} expected`);
      }
    }
    if (table.kind === 'distributed') found.push(...(await misplacedKeys(world, table)));
  }
  return found;
}

async function misplacedKeys(world: World, table: Table): Promise<string[]> {
  const key = table.key.name;
  const counts = await world.plain.query(`select ${key}, count(*) from ${table.name} group by 1`);
  const misplaced: string[] = [];
  for (const [text = null, count] of counts) {
    const value = literal({ type: table.key.type, text }, false);
    const lookup = `select count(*) from ${table.name} where ${key} = ${value}`;
    const found = await world.sessions[0]?.proxy.query(lookup);
    if (found?.[0]?.[0] !== count) misplaced.push(`${table.name}: ${key} ${value}`);
  }
  return misplaced;
}

async function connect(
  cluster: LabCluster,
  plainServer: PlainPostgres,
  proxy: RunningPgweave,
  sessionCount: number,
): Promise<Omit<World, 'stop'>> {
  const to = ({ host, port }: { readonly host: string; readonly port: number }) =>
    WireClient.connect({ host, port, ...login });
  const open = async (): Promise<Sides> => {
    return { proxy: await to(proxy), plain: await to(plainServer.server) };
  };
  const sessions: Sides[] = [];
  while (sessions.length < sessionCount) sessions.push(await open());
  const reopen = async (session: number) => {
    sessions[session]?.plain.close();
    sessions[session] = await open();
  };
  return {
    sessions,
    reopen,
    plain: await to(plainServer.server),
    shards: await Promise.all(cluster.shards.map((shard) => to(shard.primary))),
    proxy,
  };
}

function closeAll(world: Omit<World, 'stop'>): void {
  for (const { proxy, plain } of world.sessions) {
    proxy.close();
    plain.close();
  }
  for (const client of [world.plain, ...world.shards]) client.close();
}
