import { AggregatorRegistry, type Registry } from 'prom-client';

/** Metrics of one process at one moment, in prom-client's JSON form: travels between processes. */
export type MetricsSnapshot = readonly object[];

export type MetricsPage = { readonly contentType: string; readonly body: string };

export async function takeSnapshot(registry: Registry): Promise<MetricsSnapshot> {
  return await registry.getMetricsAsJSON();
}

/** Adds the counters and histograms of all processes up and renders Prometheus' text format. */
export async function renderMetrics(snapshots: readonly MetricsSnapshot[]): Promise<MetricsPage> {
  const registry = AggregatorRegistry.aggregate([...snapshots]);
  return { contentType: registry.contentType, body: await registry.metrics() };
}
