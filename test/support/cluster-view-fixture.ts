import type { ClusterView, WorkerView } from '../../src/admin/cluster-view.ts';
import { PgError } from '../../src/base/pg-error.ts';
import { SqlState } from '../../src/base/sql-state.ts';
import type { ClusterStatus } from '../../src/cluster/cluster-status.ts';
import type { Drift } from '../../src/cluster/drift/find-drift.ts';
import type { PastFailover } from '../../src/cluster/failover/past-failover.ts';
import type { GlobalId } from '../../src/cluster/transactions/global-id.ts';
import type { InDoubtTransaction } from '../../src/cluster/transactions/in-doubt.ts';
import type { NodeId } from '../../src/config/config.ts';
import { configFixture, firstShard, secondShard } from './config-fixture.ts';
import { wellFixture } from './failover-fixture.ts';

const id = (port: number) => `127.0.0.1:${port}` as NodeId;

export const statusFixture: ClusterStatus = {
  shards: [
    {
      shard: firstShard,
      epoch: 4,
      primary: id(5433),
      standbys: [id(5434)],
      state: 'open',
      ...wellFixture,
      durability: 'armed',
      members: [id(5434)],
      quorum: 1,
      failovers: 1,
      reason: '',
    },
    {
      shard: secondShard,
      epoch: 2,
      primary: null,
      standbys: [],
      state: 'promoting',
      ...wellFixture,
      durability: 'solo',
      noPromotion: 'the standby may lack acknowledged commits',
      failovers: 0,
      reason: 'promoting 127.0.0.1:5436',
    },
  ],
  nodes: [
    {
      shard: firstShard,
      node: id(5433),
      role: 'primary',
      state: 'up',
      lagBytes: null,
      epoch: 4,
      acceptsConnections: true,
      crashSafe: true,
      missingMs: null,
      pid: 4711,
    },
    {
      shard: firstShard,
      node: id(5434),
      role: 'standby',
      state: 'up',
      lagBytes: 128,
      epoch: 4,
      acceptsConnections: true,
      crashSafe: true,
      missingMs: null,
      pid: null,
    },
  ],
};

const pastFailover: PastFailover = {
  shard: firstShard,
  cause: 'failure',
  from: id(5434),
  to: id(5433),
  epoch: 4,
  openedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
  confirmedMs: 61,
  claimedMs: 70,
  promotedMs: 120,
  openedMs: 131,
  reason: 'it refuses connections',
  findings: [],
  check: {
    firstCommitMs: 300,
    streaming: [],
    durability: 'solo',
    holds: [0, 3, 1],
    errors: { '40001': 3 },
    left: ['it has no standby'],
  },
};

const inDoubt: InDoubtTransaction = {
  id: 'pgweave/a_m/0123456789abcdef/1z' as GlobalId,
  coordinator: firstShard,
  shards: [secondShard],
  owner: 'app',
  ageMs: 12_345.6,
  verdict: 'unknown',
};

const drift: Drift = {
  kind: 'column',
  name: 'public.customer.name',
  shards: [secondShard],
  difference: 'is "text", on a_m it is "text not null"',
  remedy: 'make it on n_z as on a_m, or the other way round',
};

const counts = { idle: 2, active: 1, reserved: 0, connecting: 0, waiting: 3, waitMs: 12.34 };

export const workersFixture: readonly WorkerView[] = [
  {
    index: 0,
    pid: 100,
    state: 'ready',
    clientsCount: 1,
    restarts: 0,
    clients: [
      {
        processId: 5,
        user: 'app',
        database: 'shop',
        applicationName: 'psql',
        address: '10.0.0.7',
        port: 40_000,
        tls: true,
        state: 'in-transaction',
        shards: ['a_m'],
        connectedAt: Date.UTC(2024, 0, 31, 12),
      },
    ],
    pools: [{ node: id(5433), counts }],
    statements: { 'single-shard': 10, home: 1 },
  },
  {
    index: 1,
    pid: null,
    state: 'resting',
    clientsCount: 0,
    restarts: 2,
    clients: [],
    pools: [{ node: id(5433), counts: { ...counts, waitMs: 99 } }],
    statements: { 'single-shard': 5 },
  },
];

/** A view of fixed values; `changed` collects what commands changed. */
export function clusterViewFixture(changes: Partial<ClusterView> = {}): {
  readonly view: ClusterView;
  readonly changed: string[];
} {
  const changed: string[] = [];
  const view: ClusterView = {
    version: '1.2.3',
    configPath: '/etc/pgweave.yaml',
    config: () => configFixture(),
    status: () => statusFixture,
    workers: async ({ clients }) =>
      clients ? workersFixture : workersFixture.map((worker) => ({ ...worker, clients: [] })),
    reload: async ({ allowStranded }) => {
      changed.push(allowStranded ? 'reload all the same' : 'reload');
      return { shardMapVersion: 2, warnings: ['workers: 4 takes effect after a restart'] };
    },
    rehearseReload: async () => ({
      before: configFixture().shardMap,
      after: { ...configFixture().shardMap, home: secondShard },
      warnings: [],
      stranded: [{ table: 'public.entry', shard: secondShard, rows: 3, because: 'a_m owns them' }],
    }),
    command: async (shard, command) => {
      const words = Object.values(command).filter((value) => value !== null && value !== false);
      changed.push([shard, ...words].join(' '));
      if (shard === secondShard) {
        throw new PgError(SqlState.objectNotInPrerequisiteState, 'no standby of shard "n_z"');
      }
      return 'it is done';
    },
    rehearse: () => ({
      willDo: false,
      message: 'the shard is not armed',
      nodes: [
        { node: id(5433), isPrimary: true, lagBytes: 0, obstacle: 'is the primary' },
        { node: id(5434), isPrimary: false, lagBytes: 12, obstacle: null },
      ],
    }),
    pastFailovers: () => [pastFailover],
    transactions: async () => [inDoubt],
    resolve: async (id, outcome) => {
      changed.push(`resolve ${id} ${outcome}`);
      return 'the transaction is ended';
    },
    drift: async () => [drift],
    obstacles: () => [],
    metrics: async () => ({ contentType: 'text/plain', body: 'pgweave_up 1\n' }),
    ...changes,
  };
  return { view, changed };
}
