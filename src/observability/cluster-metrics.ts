import { Counter, Gauge, Registry } from 'prom-client';
import type { PoolCounts } from '../backend/pool.ts';
import type { ClusterStatus } from '../cluster/cluster-status.ts';
import type { InDoubtTransaction } from '../cluster/transactions/in-doubt.ts';
import type { NodeAddress } from '../config/config.ts';
import { type MetricsSnapshot, takeSnapshot } from './metrics-snapshot.ts';
import { registerUsageMetrics } from './usage-metrics.ts';

/** What the supervisor knows at the moment of a scrape. */
export type ClusterReading = {
  readonly version: string;
  readonly status: ClusterStatus;
  /** Transactions over several shards that were left prepared. */
  readonly inDoubt: readonly Pick<InDoubtTransaction, 'ageMs'>[];
  /** Objects that are not alike on all shards; null: not compared yet. */
  readonly driftCount: number | null;
  readonly shardMapVersion: number;
  readonly clientsMax: number;
  readonly clientsRefused: number;
  /** Sessions per worker index. */
  readonly clients: ReadonlyMap<number, number>;
  readonly workerRestarts: number;
  readonly pools: readonly { readonly node: NodeAddress; readonly counts: PoolCounts }[];
};

const durabilities = ['armed', 'arming', 'solo', 'async', 'none'] as const;
const roles = ['primary', 'standby', 'quarantined', 'unknown'] as const;

/**
 * The supervisor's gauges. Built anew from each reading: a node that left the configuration leaves
 * no stale series behind.
 */
export async function clusterMetrics(reading: ClusterReading): Promise<MetricsSnapshot> {
  const registry = new Registry();
  registerUsageMetrics(registry, 'supervisor');
  addClients(registry, reading);
  addShards(registry, reading.status);
  addNodes(registry, reading.status);
  addPools(registry, reading.pools);
  addTransactions(registry, reading.inDoubt);
  addDrift(registry, reading.driftCount);
  return await takeSnapshot(registry);
}

function addClients(registry: Registry, reading: ClusterReading): void {
  const registers = [registry];
  new Gauge({
    name: 'pgweave_build',
    help: 'Always 1; the label is the version.',
    labelNames: ['version'],
    registers,
  }).set({ version: reading.version }, 1);
  new Gauge({
    name: 'pgweave_shard_map_version',
    help: 'Grows with each reload.',
    registers,
  }).set(reading.shardMapVersion);
  const clients = new Gauge({
    name: 'pgweave_clients',
    help: 'Client connections.',
    labelNames: ['worker'],
    registers,
  });
  for (const [worker, count] of reading.clients) clients.set({ worker: String(worker) }, count);
  new Gauge({
    name: 'pgweave_clients_max',
    help: 'Limit of client connections over all workers.',
    registers,
  }).set(reading.clientsMax);
  new Counter({
    name: 'pgweave_clients_refused_total',
    help: 'Client connections above the limit.',
    registers,
  }).inc(reading.clientsRefused);
  new Counter({
    name: 'pgweave_worker_restarts_total',
    help: 'Workers that ended without being told to.',
    registers,
  }).inc(reading.workerRestarts);
}

function addShards(registry: Registry, status: ClusterStatus): void {
  const registers = [registry];
  const labelNames = ['shard'] as const;
  const available = new Gauge({
    name: 'pgweave_shard_available',
    help: '1 when the shard has a primary that takes statements.',
    labelNames,
    registers,
  });
  const epoch = new Gauge({
    name: 'pgweave_shard_epoch',
    help: 'Grows with each change of the primary.',
    labelNames,
    registers,
  });
  const failovers = new Counter({
    name: 'pgweave_failovers_total',
    help: 'Promotions since the supervisor started.',
    labelNames,
    registers,
  });
  const findings = new Counter({
    name: 'pgweave_failover_findings_total',
    help: 'What was found wrong with new primaries when they were opened: SHOW FAILOVERS.',
    labelNames,
    registers,
  });
  const durability = new Gauge({
    name: 'pgweave_durability_state',
    help: '1 for the current state. armed: no acknowledged commit is lost with the primary.',
    labelNames: ['shard', 'state'],
    registers,
  });
  const ready = new Gauge({
    name: 'pgweave_promotion_possible',
    help: '1 when a standby would be promoted if the primary were lost now.',
    labelNames,
    registers,
  });
  const stuck = new Gauge({
    name: 'pgweave_writes_stuck',
    help: '1 when the primary answers, but acknowledges no write.',
    labelNames,
    registers,
  });
  for (const shard of status.shards) {
    ready.set({ shard: shard.shard }, shard.noPromotion === '' ? 1 : 0);
    stuck.set({ shard: shard.shard }, shard.writesStuck ? 1 : 0);
    available.set({ shard: shard.shard }, shard.primary === null ? 0 : 1);
    epoch.set({ shard: shard.shard }, shard.epoch);
    failovers.inc({ shard: shard.shard }, shard.failovers);
    findings.inc({ shard: shard.shard }, shard.findingsCount);
    for (const state of durabilities) {
      durability.set({ shard: shard.shard, state }, shard.durability === state ? 1 : 0);
    }
  }
}

function addNodes(registry: Registry, status: ClusterStatus): void {
  const registers = [registry];
  const role = new Gauge({
    name: 'pgweave_node_role',
    help: '1 for the role that the node has now.',
    labelNames: ['shard', 'node', 'role'],
    registers,
  });
  const lag = new Gauge({
    name: 'pgweave_node_lag_bytes',
    help: 'WAL that a standby has not replayed yet.',
    labelNames: ['shard', 'node'],
    registers,
  });
  const accepts = new Gauge({
    name: 'pgweave_node_accepts_connections',
    help: '0 when its sessions are served, but nobody gets a new one.',
    labelNames: ['shard', 'node'],
    registers,
  });
  const crashSafe = new Gauge({
    name: 'pgweave_node_crash_safe',
    help: '0 when fsync or full_page_writes is off there: a crash of its machine loses commits.',
    labelNames: ['shard', 'node'],
    registers,
  });
  const missing = new Gauge({
    name: 'pgweave_node_missing_seconds',
    help: 'For how long it has not streamed from its primary; 0 when it does.',
    labelNames: ['shard', 'node'],
    registers,
  });
  for (const reading of status.nodes) {
    const { shard, node, role: current, lagBytes, acceptsConnections, missingMs } = reading;
    if (reading.crashSafe !== null) crashSafe.set({ shard, node }, reading.crashSafe ? 1 : 0);
    missing.set({ shard, node }, (missingMs ?? 0) / 1000);
    accepts.set({ shard, node }, acceptsConnections ? 1 : 0);
    for (const name of roles) role.set({ shard, node, role: name }, name === current ? 1 : 0);
    if (lagBytes !== null) lag.set({ shard, node }, lagBytes);
  }
}

function addPools(registry: Registry, pools: ClusterReading['pools']): void {
  const registers = [registry];
  const connections = new Gauge({
    name: 'pgweave_pool_connections',
    help: 'Server connections over all workers.',
    labelNames: ['shard', 'node', 'state'],
    registers,
  });
  const waiting = new Gauge({
    name: 'pgweave_pool_waiting',
    help: 'Statements that wait for a server connection.',
    labelNames: ['shard', 'node'],
    registers,
  });
  const wait = new Gauge({
    name: 'pgweave_pool_wait_seconds',
    help: 'Longest current wait for a server connection.',
    labelNames: ['shard', 'node'],
    registers,
  });
  for (const { node, counts } of pools) {
    const labels = { shard: node.shard, node: node.id };
    connections.set({ ...labels, state: 'idle' }, counts.idle);
    connections.set({ ...labels, state: 'active' }, counts.active - counts.reserved);
    connections.set({ ...labels, state: 'reserved' }, counts.reserved);
    connections.set({ ...labels, state: 'connecting' }, counts.connecting);
    waiting.set(labels, counts.waiting);
    wait.set(labels, counts.waitMs / 1000);
  }
}

function addTransactions(registry: Registry, inDoubt: ClusterReading['inDoubt']): void {
  const registers = [registry];
  new Gauge({
    name: 'pgweave_transactions_in_doubt',
    help: 'Transactions over several shards that were left prepared.',
    registers,
  }).set(inDoubt.length);
  new Gauge({
    name: 'pgweave_transaction_in_doubt_age_seconds',
    help: 'Of the oldest one of them; its locks are held.',
    registers,
  }).set(Math.max(0, ...inDoubt.map(({ ageMs }) => ageMs)) / 1000);
}

function addDrift(registry: Registry, driftCount: number | null): void {
  if (driftCount === null) return;
  new Gauge({
    name: 'pgweave_schema_drift',
    help: 'Tables, types, functions and others that are not alike on all shards: SHOW DRIFT.',
    registers: [registry],
  }).set(driftCount);
}
