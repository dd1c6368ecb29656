import type { PoolCounts } from '../backend/pool.ts';
import type { ClusterStatus } from '../cluster/cluster-status.ts';
import { allNodes } from '../config/all-nodes.ts';
import type { Config, NodeId } from '../config/config.ts';
import { mapColumns, mapRows } from '../sharding/map-rows.ts';
import type { WorkerView } from './cluster-view.ts';

export type Cell = string | null;

/** What a SHOW answers. The columns of each are a promise, written down in docs/admin.md. */
export type Table = {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
};

/** Which keys and tables lie where. */
export function mapTable(config: Config): Table {
  const rows = mapRows(config.shardMap);
  return { columns: mapColumns, rows: rows.map((row) => mapColumns.map((column) => row[column])) };
}

export function shardsTable(status: ClusterStatus): Table {
  return {
    columns: [
      'shard',
      'state',
      'primary',
      'standbys',
      'epoch',
      'durability',
      'failovers',
      'reason',
      'no_promotion',
    ],
    rows: status.shards.map((shard) => [
      shard.shard,
      shard.state,
      shard.primary,
      shard.standbys.join(', '),
      String(shard.epoch),
      shard.durability,
      String(shard.failovers),
      shard.reason === '' ? null : shard.reason,
      shard.noPromotion === '' ? null : shard.noPromotion,
    ]),
  };
}

export function nodesTable(status: ClusterStatus): Table {
  return {
    columns: ['shard', 'node', 'role', 'state', 'lag_bytes', 'epoch', 'pid', 'missing_ms'],
    rows: status.nodes.map((node) => [
      node.shard,
      node.node,
      node.role,
      node.state,
      text(node.lagBytes),
      text(node.epoch),
      text(node.pid),
      text(node.missingMs === null ? null : Math.round(node.missingMs)),
    ]),
  };
}

/** A row per node that has or had connections, over all workers. */
export function poolsTable(config: Config, workers: readonly WorkerView[]): Table {
  const totals = totalsByNode(workers);
  const rows: Cell[][] = [];
  for (const node of allNodes(config)) {
    const counts = totals.get(node.id);
    if (counts === undefined) continue;
    const { idle, active, reserved, connecting, waiting, waitMs } = counts;
    rows.push([
      node.shard,
      node.id,
      ...[idle, active, reserved, connecting, waiting].map(String),
      fixed(waitMs),
    ]);
  }
  return {
    columns: [
      'shard',
      'node',
      'idle',
      'active',
      'reserved',
      'connecting',
      'waiting',
      'max_wait_ms',
    ],
    rows,
  };
}

/** Adds up what the workers hold on each node; of the waits the longest. */
export function totalsByNode(
  workers: readonly Pick<WorkerView, 'pools'>[],
): ReadonlyMap<NodeId, PoolCounts> {
  const totals = new Map<NodeId, PoolCounts>();
  for (const { node, counts } of workers.flatMap((worker) => worker.pools)) {
    const sum = totals.get(node);
    totals.set(node, sum === undefined ? counts : add(sum, counts));
  }
  return totals;
}

function add(left: PoolCounts, right: PoolCounts): PoolCounts {
  return {
    idle: left.idle + right.idle,
    active: left.active + right.active,
    reserved: left.reserved + right.reserved,
    connecting: left.connecting + right.connecting,
    waiting: left.waiting + right.waiting,
    waitMs: Math.max(left.waitMs, right.waitMs),
  };
}

export function clientsTable(workers: readonly WorkerView[]): Table {
  return {
    columns: [
      'user',
      'database',
      'state',
      'addr',
      'port',
      'tls',
      'application_name',
      'shards',
      'connect_time',
      'worker',
      'pid',
    ],
    rows: workers.flatMap((worker) =>
      worker.clients.map((client) => [
        client.user,
        client.database,
        client.state,
        client.address,
        String(client.port),
        client.tls ? 'yes' : 'no',
        client.applicationName,
        client.shards.join(', '),
        new Date(client.connectedAt).toISOString(),
        String(worker.index),
        String(client.processId),
      ]),
    ),
  };
}

export function workersTable(workers: readonly WorkerView[]): Table {
  return {
    columns: ['worker', 'pid', 'state', 'clients', 'restarts'],
    rows: workers.map((worker) => [
      String(worker.index),
      text(worker.pid),
      worker.state,
      String(worker.clientsCount),
      String(worker.restarts),
    ]),
  };
}

/** Statements since the workers started, by how they were routed. */
export function statsTable(workers: readonly WorkerView[]): Table {
  const totals = new Map<string, number>();
  for (const worker of workers) {
    for (const [route, count] of Object.entries(worker.statements)) {
      totals.set(route, (totals.get(route) ?? 0) + count);
    }
  }
  return {
    columns: ['route', 'statements'],
    rows: [...totals].map(([route, count]) => [route, String(count)]),
  };
}

export function versionTable(version: string): Table {
  return { columns: ['version'], rows: [[`pgweave ${version}`]] };
}

const commands: readonly (readonly [string, string])[] = [
  ['SHOW SHARDS', 'state, primary, standbys, epoch and durability of each shard'],
  ['SHOW NODES', 'role, state and lag of each server'],
  ['SHOW DURABILITY', 'what each shard promises about acknowledged commits'],
  ['SHOW FAILOVERS', 'changes of primaries, the latest first'],
  ['SHOW TRANSACTIONS', 'transactions over several shards that were left prepared'],
  ['SHOW DRIFT', 'where the schemas of the shards differ, and what to do'],
  ['SHOW POOLS', 'server connections per node, over all workers'],
  ['SHOW CLIENTS', 'client sessions'],
  ['SHOW WORKERS', 'worker processes'],
  ['SHOW MAP', 'which keys and tables lie on which shard'],
  ['SHOW STATS', 'statements by how they were routed'],
  ['SHOW CONFIG', 'the running configuration, without secrets'],
  ['SHOW VERSION', 'the version of pgweave'],
  ['SHOW HELP', 'this list'],
  ['RELOAD', 'reads the configuration file again, unless rows would be stranded (admin)'],
  ['RELOAD ALLOW STRANDED ROWS', 'also when rows would not be found any more (admin)'],
  ['RELOAD WITH DRY RUN', 'says what that would change, and which rows it would strand'],
  ['SWITCHOVER shard [TO node]', 'hands over to a standby of a healthy shard, as planned (admin)'],
  ['FAILOVER shard [TO node]', 'promotes a standby, whether or not the primary lives (admin)'],
  ['FAILOVER shard [TO node] ALLOW DATA LOSS', 'also when commits may be lost (admin)'],
  ['PAUSE shard', 'promotes nobody on this shard without being told to (admin)'],
  ['RESUME shard', 'ends the pause (admin)'],
  ['REJOIN node', 'runs the rejoin hook: makes a node a standby of its primary again (admin)'],
  ['... WITH DRY RUN', 'says what one of these five would do now'],
  ['RESOLVE id COMMIT|ROLLBACK', 'ends a transaction that no shard can decide (admin)'],
];

export function helpTable(): Table {
  return { columns: ['command', 'description'], rows: commands };
}

function text(value: number | null): Cell {
  return value === null ? null : String(value);
}

function fixed(milliseconds: number): string {
  return milliseconds.toFixed(1);
}
