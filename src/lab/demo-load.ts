import type { Client } from 'pg';
import { assert } from '../base/assert.ts';
import { keyFromText } from '../sharding/key-value.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { ShardMap } from '../sharding/shard-map.ts';
import type { DemoRow, DemoRows } from './demo-rows.ts';
import { demoConstraintsSql, demoTablesSql } from './demo-schema.ts';
import type { LabCluster } from './lab-cluster.ts';
import { runTogether } from './run-together.ts';
import { withSession } from './sql.ts';

type ShardRows = {
  readonly customers: DemoRow[];
  readonly reservations: DemoRow[];
  readonly chatSessions: DemoRow[];
};

const batchRows = 10_000;

/** Makes the demo's tables on every shard and puts each row where its key belongs. */
export async function loadDemo(
  cluster: LabCluster,
  rows: DemoRows | null,
  shardMap: ShardMap,
  signal?: AbortSignal,
): Promise<void> {
  const byShard = rows === null ? null : rowsByShard(rows, shardMap);
  await runTogether(
    cluster.shards,
    async ({ name, primary }, stop) => {
      await withSession(primary, cluster.login, async (session) => {
        stop.throwIfAborted();
        // A commit waits for its standby, for ever when that died of a full disk.
        stop.addEventListener('abort', () => void session.end().catch(() => {}), { once: true });
        await session.query('begin');
        await session.query(`set local role app; ${demoTablesSql}`);
        const own = byShard?.get(name);
        if (rows !== null && own !== undefined) {
          await insertRows(session, 'item', rows.items, stop);
          await insertRows(session, 'customer', own.customers, stop);
          await insertRows(session, 'reservation', own.reservations, stop);
          await insertRows(session, 'chat_session', own.chatSessions, stop);
        }
        await session.query(demoConstraintsSql);
        await session.query('commit');
        await session.query('analyze');
      });
    },
    signal,
  );
}

function rowsByShard(rows: DemoRows, shardMap: ShardMap): ReadonlyMap<string, ShardRows> {
  const byShard = new Map<string, ShardRows>(
    shardMap.shards.map((shard) => [shard, { customers: [], reservations: [], chatSessions: [] }]),
  );
  for (const { custId, customer, reservations } of rows.customers) {
    const owner = byShard.get(ownerOf(shardMap, 'public.customer', custId));
    owner?.customers.push(customer);
    for (const reservation of reservations) owner?.reservations.push(reservation);
  }
  for (const { id, row } of rows.chatSessions) {
    byShard.get(ownerOf(shardMap, 'public.chat_session', id))?.chatSessions.push(row);
  }
  return byShard;
}

function ownerOf(shardMap: ShardMap, table: string, keyText: string): ShardId {
  const sharding = shardMap.tables.get(table);
  assert(sharding?.kind === 'distributed', `${table} is not distributed`);
  const { distribution } = sharding;
  const target = { keyType: distribution.keyType, valueType: 'unknown', use: 'assign' } as const;
  const reading = keyFromText(target, keyText);
  const owner = reading.kind === 'key' ? distribution.shardOf(reading.key) : null;
  assert(owner !== null, `no shard owns ${keyText} of ${table}`);
  return owner;
}

/** One array per column: the server unpacks them in one statement per batch. */
async function insertRows(
  session: Client,
  table: string,
  rows: readonly DemoRow[],
  signal: AbortSignal,
): Promise<void> {
  const types = columnTypes[table] ?? [];
  const unpacked = types.map((type, index) => `$${index + 1}::${type}[]`).join(', ');
  for (let start = 0; start < rows.length; start += batchRows) {
    signal.throwIfAborted();
    const batch = rows.slice(start, start + batchRows);
    const columns = types.map((_, column) => arrayLiteral(batch.map((row) => row[column] ?? '')));
    await session.query(`insert into ${table} select * from unnest(${unpacked})`, columns);
  }
}

const columnTypes: { readonly [table: string]: readonly string[] } = {
  item: ['int', 'text', 'text', 'numeric'],
  customer: ['text', 'text', 'text', 'date'],
  reservation: ['bigint', 'text', 'numeric', 'int', 'date'],
  chat_session: ['uuid', 'text', 'timestamptz', 'int'],
};

function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}
