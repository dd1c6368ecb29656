import type { WorkerView } from '../admin/cluster-view.ts';
import { totalsByNode } from '../admin/show-tables.ts';
import type { ClusterStatus } from '../cluster/cluster-status.ts';
import type { Drift } from '../cluster/drift/find-drift.ts';
import type { InDoubtTransaction } from '../cluster/transactions/in-doubt.ts';
import { allNodes } from '../config/all-nodes.ts';
import type { Config } from '../config/config.ts';
import { clusterMetrics } from '../observability/cluster-metrics.ts';
import {
  counterByLabel,
  type MetricsPage,
  renderMetrics,
} from '../observability/metrics-snapshot.ts';
import type { WorkerReport } from './messages.ts';
import type { WorkerSlot } from './worker-slot.ts';
import type { Workers } from './workers.ts';

/** The supervisor's state at one moment, for those who only look. */
export type SupervisorReading = {
  readonly version: string;
  readonly config: Config;
  readonly status: ClusterStatus;
  readonly inDoubt: readonly InDoubtTransaction[];
  /** null: not compared yet. */
  readonly drift: readonly Drift[] | null;
  readonly clientsRefused: number;
  readonly workers: Workers;
  readonly phase: 'starting' | 'running' | 'stopping';
};

export async function workerViews(
  workers: Workers,
  wanted: { readonly clients: boolean },
): Promise<readonly WorkerView[]> {
  const reports = await workers.reports(wanted);
  return workers.slots.map((slot, index) => viewOf(slot, reports[index] ?? null));
}

function viewOf(slot: WorkerSlot, report: WorkerReport | null): WorkerView {
  return {
    index: slot.index,
    pid: slot.pid,
    state: slot.state,
    clientsCount: slot.sessionsCount,
    restarts: slot.restarts,
    clients: report?.clients ?? [],
    pools: report?.pools ?? [],
    statements: counterByLabel(report?.metrics ?? [], 'pgweave_statements_total', 'route'),
  };
}

/** Why clients cannot be served now, a line each. */
export function obstacles(reading: SupervisorReading): readonly string[] {
  const { phase, status, workers } = reading;
  const idle = workers.slots.filter((slot) => slot.state !== 'ready');
  const headless = status.shards.filter((shard) => shard.primary === null);
  return [
    ...(phase === 'running' ? [] : [`the proxy is ${phase}`]),
    ...idle.map((slot) => `worker ${slot.index} is ${slot.state}`),
    ...headless.map(({ shard, reason }) => `shard "${shard}" has no primary: ${reason}`),
  ];
}

/** All processes' metrics; what a silent worker would have added is missing from this page. */
export async function metricsPage(reading: SupervisorReading): Promise<MetricsPage> {
  const { workers, config } = reading;
  const views = await workers.reports({ clients: false });
  const reports = views.filter((report) => report !== null);
  const totals = totalsByNode(reports);
  const nodes = allNodes(config);
  const own = await clusterMetrics({
    version: reading.version,
    status: reading.status,
    inDoubt: reading.inDoubt,
    driftCount: reading.drift?.length ?? null,
    shardMapVersion: config.shardMap.version,
    clientsMax: config.limits.clientsMax,
    clientsRefused: reading.clientsRefused,
    clients: new Map(workers.slots.map((slot) => [slot.index, slot.sessionsCount])),
    workerRestarts: workers.restarts,
    pools: nodes.flatMap((node) => {
      const counts = totals.get(node.id);
      return counts === undefined ? [] : [{ node, counts }];
    }),
  });
  return await renderMetrics([own, ...reports.map((report) => report.metrics)]);
}
