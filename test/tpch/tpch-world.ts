import { loadConfig } from '../../src/config/load-config.ts';
import { findFreePorts } from '../../src/lab/free-port.ts';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { type Login, withSession } from '../../src/lab/sql.ts';
import { keyFromText } from '../../src/sharding/key-value.ts';
import type { ShardMap } from '../../src/sharding/shard-map.ts';
import { startTestCluster } from '../support/lab.ts';
import { startPgweave } from '../support/pgweave.ts';
import { WireClient } from '../support/wire-client.ts';
import { type Row, tpchRows } from './rows.ts';
import { definitions, indexesSql, keys, schemaSql, type TableName, tableNames } from './tables.ts';

const shards = ['s1', 's2', 's3', 's4'] as const;
const login = { user: 'app', database: 'app' };
const batchRows = 5_000;

/** The same rows on one PostgreSQL and, behind pgweave, on four shards. */
export type TpchWorld = {
  readonly plain: WireClient;
  readonly proxy: WireClient;
  stop(): Promise<void>;
};

export type TpchWorldOptions = {
  /** 1 would be a gigabyte of rows. */
  readonly scale: number;
  /** For one answer. */
  readonly answerTimeoutMs: number;
};

export async function startTpchWorld(options: TpchWorldOptions): Promise<TpchWorld> {
  const undo: (() => unknown)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    // `plain` is a shard to the lab only: pgweave does not know it.
    const cluster = await startTestCluster({
      shards: ['plain', ...shards],
      schema: schemaSql,
      settings: { shared_buffers: '128MB', work_mem: '32MB' },
    });
    undo.push(() => cluster.stop());
    const [port = 0, adminPort = 0] = await findFreePorts(2);
    const configText = configOf(cluster, port, adminPort);
    await load(cluster, options.scale, shardMapOf(configText));
    const pgweave = await startPgweave(configText, port, login);
    undo.push(() => pgweave.stop());
    const { answerTimeoutMs } = options;
    const plainServer = cluster.shard('plain').primary;
    const [plain, proxy] = await Promise.all(
      [plainServer, pgweave].map(({ host, port: target }) =>
        WireClient.connect({ host, port: target, ...login, answerTimeoutMs }),
      ),
    );
    if (plain === undefined || proxy === undefined)
      throw new Error('two connections were asked for');
    undo.push(
      () => plain.close(),
      () => proxy.close(),
    );
    return { plain, proxy, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function load(cluster: LabCluster, scale: number, map: ShardMap): Promise<void> {
  const rows = tpchRows(scale);
  for (const table of tableNames) {
    const parts = new Map<string, readonly Row[]>(partsOf(table, rows[table], map));
    parts.set('plain', rows[table]);
    await Promise.all(
      [...parts].map(([shard, own]) =>
        insertRows(cluster.shard(shard).primary, cluster.login, table, own),
      ),
    );
  }
  await Promise.all(
    cluster.shards.map(({ primary }) =>
      withSession(primary, cluster.login, async (session) => {
        await session.query(`set role app; ${indexesSql}; reset role`);
        await session.query('vacuum analyze');
      }),
    ),
  );
}

/** All rows on each shard of a reference table, else each row where its key belongs. */
function partsOf(
  table: TableName,
  rows: readonly Row[],
  map: ShardMap,
): readonly [string, readonly Row[]][] {
  const sharding = map.tables.get(`public.${table}`);
  if (sharding?.kind !== 'distributed') return shards.map((shard) => [shard, rows]);
  const { distribution, key } = sharding;
  const column = definitions[table].columns.findIndex((each) => each.startsWith(`${key} `));
  const target = { keyType: distribution.keyType, valueType: 'unknown', use: 'assign' } as const;
  const parts = new Map<string, Row[]>(shards.map((shard) => [shard, []]));
  for (const row of rows) {
    const reading = keyFromText(target, row[column] ?? '');
    const owner = reading.kind === 'key' ? distribution.shardOf(reading.key) : null;
    if (owner === null) throw new Error(`no shard owns ${row[column]} of ${table}`);
    parts.get(owner)?.push(row);
  }
  return [...parts];
}

/** One array per column: the server unpacks them in one statement per batch. */
async function insertRows(
  server: PostgresServer,
  access: Login,
  table: TableName,
  rows: readonly Row[],
): Promise<void> {
  const types = definitions[table].columns.map((column) => column.slice(column.indexOf(' ') + 1));
  const unpacked = types.map((type, index) => `$${index + 1}::${type}[]`).join(', ');
  await withSession(server, access, async (session) => {
    for (let start = 0; start < rows.length; start += batchRows) {
      const batch = rows.slice(start, start + batchRows);
      const columns = types.map((_, column) => batch.map((row) => row[column]));
      await session.query(`insert into ${table} select * from unnest(${unpacked})`, columns);
    }
  });
}

function shardMapOf(configText: string): ShardMap {
  const loaded = loadConfig(configText, { path: 'tpch.yaml', environment: {} });
  if (loaded.kind === 'rejected') throw new Error(JSON.stringify(loaded.mistakes));
  return loaded.config.shardMap;
}

function configOf(cluster: LabCluster, port: number, adminPort: number): string {
  const nodes = shards.map((shard) => {
    const { host, port: nodePort } = cluster.shard(shard).primary;
    return `  ${shard}: { nodes: ["${host}:${nodePort}"] }`;
  });
  const distributions = new Set(Object.values(keys).map(({ distribution }) => distribution));
  const placed = [...distributions].map(
    (name) => `  ${name}: { type: int4, modulo: [${shards.join(', ')}] }`,
  );
  const sharding = tableNames.map((table) => {
    const placing = keys[table];
    if (placing === undefined) return `  ${table}: { reference: true }`;
    return `  ${table}: { distribution: ${placing.distribution}, key: ${placing.key} }`;
  });
  return `database: app
listen: { host: 127.0.0.1, port: ${port} }
admin: { host: 127.0.0.1, port: ${adminPort} }
workers: 1
shards:
${nodes.join('\n')}
home: s1
distributions:
${placed.join('\n')}
tables:
${sharding.join('\n')}
authentication: trust
users:
  app: {}
control: { user: postgres }
failover: { enabled: false }
log: { level: warn }
`;
}
