import { Counter, Histogram, Registry } from 'prom-client';
import { contractStates } from '../base/contract-states.ts';
import { SqlState } from '../base/sql-state.ts';
import type { LoginFailure, RouteKind, Telemetry } from '../base/telemetry.ts';
import { type MetricsSnapshot, takeSnapshot } from './metrics-snapshot.ts';
import { registerUsageMetrics } from './usage-metrics.ts';

export type TrafficMetrics = Pick<
  Telemetry,
  'statement' | 'shardLatency' | 'gathered' | 'loginFailed' | 'errorSent'
> & {
  snapshot(): Promise<MetricsSnapshot>;
};

/** Seconds; a point read on a LAN is in the first buckets, a report over all shards in the last. */
const latencyBuckets = [
  0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

const routeKinds: readonly RouteKind[] = [
  'single-shard',
  'multi-shard',
  'home',
  'local',
  'rejected',
];

/** Users can make servers raise any other: each would be a series of its own. */
const knownStates: ReadonlySet<string> = new Set(Object.values(SqlState));

const loginFailures: readonly LoginFailure[] = ['password', 'refused', 'timeout'];

/**
 * What a worker counts. Called once per statement: the labelled children are made once, which
 * brings a count to 0.13 us and an observation to 0.3 us.
 */
export function createTrafficMetrics(source: string): TrafficMetrics {
  const registry = new Registry();
  registerUsageMetrics(registry, source);
  const statements = new Counter({
    name: 'pgweave_statements_total',
    help: 'Statements answered, by how they were routed.',
    labelNames: ['route'],
    registers: [registry],
  });
  const latency = new Histogram({
    name: 'pgweave_shard_latency_seconds',
    help: 'From the first byte sent to a shard to its ReadyForQuery.',
    labelNames: ['shard'],
    buckets: latencyBuckets,
    registers: [registry],
  });
  const gatheredRows = new Counter({
    name: 'pgweave_gathered_rows_total',
    help: 'Rows of intermediate results, gathered for the servers that read them.',
    registers: [registry],
  });
  const gatheredBytes = new Counter({
    name: 'pgweave_gathered_bytes_total',
    help: 'Their bytes.',
    registers: [registry],
  });
  const failedLogins = new Counter({
    name: 'pgweave_login_failures_total',
    help: 'Logins that failed, by why: a password, a refusal before or instead of one, the time.',
    labelNames: ['reason'],
    registers: [registry],
  });
  for (const reason of loginFailures) failedLogins.inc({ reason }, 0);
  const errors = new Counter({
    name: 'pgweave_errors_total',
    help: "Errors of pgweave's own, by SQLSTATE. What servers answer is not counted.",
    labelNames: ['sqlstate'],
    registers: [registry],
  });
  for (const sqlstate of contractStates) errors.inc({ sqlstate }, 0);
  const counters = new Map(routeKinds.map((route) => [route, statements.labels(route)]));
  // A route that did not occur yet is 0, not absent: a rate over it needs the first point.
  for (const route of routeKinds) statements.inc({ route }, 0);
  const observers = new Map<string, Histogram.Internal<'shard'>>();
  return {
    statement(route) {
      counters.get(route)?.inc();
    },
    shardLatency(shard, latencyMs) {
      let observer = observers.get(shard);
      if (observer === undefined) {
        observer = latency.labels(shard);
        observers.set(shard, observer);
      }
      observer.observe(latencyMs / 1000);
    },
    gathered({ rows, bytes }) {
      gatheredRows.inc(rows);
      gatheredBytes.inc(bytes);
    },
    loginFailed(reason) {
      failedLogins.inc({ reason });
    },
    errorSent(sqlState) {
      errors.inc({ sqlstate: knownStates.has(sqlState) ? sqlState : 'other' });
    },
    snapshot: () => takeSnapshot(registry),
  };
}
