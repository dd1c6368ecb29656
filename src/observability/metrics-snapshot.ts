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

/** The values of a counter with one label, by that label; empty when the snapshot lacks it. */
export function counterByLabel(
  snapshot: MetricsSnapshot,
  name: string,
  label: string,
): { readonly [label: string]: number } {
  const metric = (snapshot as readonly CounterJson[]).find((candidate) => candidate.name === name);
  return Object.fromEntries(
    (metric?.values ?? []).map(({ labels, value }) => [labels[label] ?? '', value]),
  );
}

/** The part of prom-client's JSON form that is read here. */
type CounterJson = {
  readonly name: string;
  readonly values: readonly {
    readonly labels: { readonly [name: string]: string };
    readonly value: number;
  }[];
};
