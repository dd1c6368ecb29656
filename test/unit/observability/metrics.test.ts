import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { clusterMetrics } from '../../../src/observability/cluster-metrics.ts';
import {
  counterByLabel,
  type MetricsSnapshot,
  renderMetrics,
} from '../../../src/observability/metrics-snapshot.ts';
import { createTrafficMetrics } from '../../../src/observability/traffic-metrics.ts';
import { statusFixture } from '../../support/cluster-view-fixture.ts';
import { firstShard, node } from '../../support/config-fixture.ts';

function namesIn(text: string): readonly string[] {
  return text.match(/\bpgweave_[a-z_]+/g) ?? [];
}

const reading = {
  version: '1.2.3',
  status: statusFixture,
  shardMapVersion: 7,
  clientsMax: 100,
  clientsRefused: 2,
  clients: new Map([
    [0, 5],
    [1, 6],
  ]),
  inDoubt: [{ ageMs: 12_500 }, { ageMs: 300 }],
  driftCount: 2,
  workerRestarts: 1,
  pools: [
    {
      node: node(firstShard, 5433),
      counts: { idle: 1, active: 2, reserved: 0, connecting: 3, waiting: 4, waitMs: 1_500 },
    },
  ],
};

/** Reads Prometheus' text format by its grammar; throws on a line that is none of it. */
function parse(body: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of body.split('\n').filter((text) => text !== '')) {
    const comment = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
    if (comment !== null) {
      if (comment[1] === 'TYPE') types.set(comment[2] ?? '', comment[3] ?? '');
      continue;
    }
    const sample = /^([a-z_]+)((?:\{(?:[a-z_]+="[^"\\\n]*",?)*\})?) (\S+)$/.exec(line);
    const name = (sample?.[1] ?? '').replace(/_(bucket|sum|count)$/, '');
    if (sample === null || !(types.has(name) || types.has(sample[1] ?? ''))) {
      throw new Error(`not a sample: ${line}`);
    }
    const key = `${sample[1]}${sample[2]}`;
    if (samples.has(key)) throw new Error(`twice: ${key}`);
    samples.set(key, Number(sample[3]));
  }
  return samples;
}

/** As it arrives from another process. */
function travelled(snapshot: MetricsSnapshot): MetricsSnapshot {
  return JSON.parse(JSON.stringify(snapshot));
}

describe('the metrics', () => {
  it('add up what the workers counted', async () => {
    const workers = [createTrafficMetrics('worker 0'), createTrafficMetrics('worker 1')];
    for (const worker of workers) {
      worker.statement('single-shard');
      worker.statement('multi-shard');
      worker.shardLatency('a_m', 0.3);
      worker.shardLatency('a_m', 40);
    }
    workers[0]?.statement('single-shard');
    const snapshots = await Promise.all(workers.map((worker) => worker.snapshot()));
    const samples = parse((await renderMetrics(snapshots.map(travelled))).body);
    expect(samples.get('pgweave_statements_total{route="single-shard"}')).toBe(3);
    expect(samples.get('pgweave_statements_total{route="multi-shard"}')).toBe(2);
    expect(samples.get('pgweave_statements_total{route="rejected"}')).toBe(0);
    const latency = 'pgweave_shard_latency_seconds';
    expect(samples.get(`${latency}_bucket{le="0.0002",shard="a_m"}`)).toBe(0);
    expect(samples.get(`${latency}_bucket{le="0.0005",shard="a_m"}`)).toBe(2);
    expect(samples.get(`${latency}_bucket{le="0.05",shard="a_m"}`)).toBe(4);
    expect(samples.get(`${latency}_bucket{le="+Inf",shard="a_m"}`)).toBe(4);
    expect(samples.get(`${latency}_sum{shard="a_m"}`)).toBeCloseTo(0.0806, 6);
    expect(samples.get('pgweave_cpu_seconds_total{source="worker 0"}')).toBeGreaterThan(0);
    expect(samples.get('pgweave_cpu_seconds_total{source="worker 1"}')).toBeGreaterThan(0);
  });

  it('give CPU time as a total, however often it is read', async () => {
    const worker = createTrafficMetrics('worker 0');
    const first = counterByLabel(await worker.snapshot(), 'pgweave_cpu_seconds_total', 'source');
    const second = counterByLabel(await worker.snapshot(), 'pgweave_cpu_seconds_total', 'source');
    const total = process.cpuUsage();
    const [before = 0, after = 0] = [first['worker 0'], second['worker 0']];
    expect(after).toBeGreaterThanOrEqual(before);
    expect(after).toBeLessThanOrEqual((total.user + total.system) / 1e6);
  });

  it('show shards, nodes, pools and clients', async () => {
    const samples = parse((await renderMetrics([await clusterMetrics(reading)])).body);
    const expected: readonly (readonly [string, number])[] = [
      ['pgweave_build{version="1.2.3"}', 1],
      ['pgweave_shard_map_version', 7],
      ['pgweave_schema_drift', 2],
      ['pgweave_clients{worker="1"}', 6],
      ['pgweave_clients_refused_total', 2],
      ['pgweave_shard_available{shard="a_m"}', 1],
      ['pgweave_shard_available{shard="n_z"}', 0],
      ['pgweave_shard_epoch{shard="a_m"}', 4],
      ['pgweave_failovers_total{shard="a_m"}', 1],
      ['pgweave_durability_state{shard="n_z",state="solo"}', 1],
      ['pgweave_durability_state{shard="n_z",state="armed"}', 0],
      ['pgweave_node_role{shard="a_m",node="127.0.0.1:5434",role="standby"}', 1],
      ['pgweave_node_lag_bytes{shard="a_m",node="127.0.0.1:5434"}', 128],
      ['pgweave_pool_connections{shard="a_m",node="127.0.0.1:5433",state="connecting"}', 3],
      ['pgweave_transactions_in_doubt', 2],
      ['pgweave_transaction_in_doubt_age_seconds', 12.5],
      ['pgweave_pool_wait_seconds{shard="a_m",node="127.0.0.1:5433"}', 1.5],
    ];
    for (const [sample, value] of expected)
      expect([sample, samples.get(sample)]).toEqual([sample, value]);
    expect(samples.has('pgweave_node_lag_bytes{shard="a_m",node="127.0.0.1:5433"}')).toBe(false);
  });

  it('are those that the rules for alerts and the manual name, and no others', async () => {
    const snapshots = [await clusterMetrics(reading), await createTrafficMetrics('w').snapshot()];
    const { body } = await renderMetrics(snapshots);
    const all = new Set(namesIn(body.replaceAll(/_(bucket|sum|count)\b/g, '')));
    const rules = readFileSync('config/prometheus-rules.yaml', 'utf8');
    expect(namesIn(rules).filter((name) => !all.has(name))).toEqual([]);
    const manual = readFileSync('docs/admin.md', 'utf8');
    expect([...new Set(namesIn(manual))].sort()).toEqual([...all].sort());
  });

  it('forget a node that left the configuration', async () => {
    await clusterMetrics(reading);
    const without = { ...reading, status: { shards: [], nodes: [] } };
    const { body } = await renderMetrics([await clusterMetrics(without)]);
    expect(body).not.toContain('5434');
  });

  it('give a counter by label, and nothing for one that is not there', async () => {
    const worker = createTrafficMetrics('worker 0');
    worker.statement('home');
    const snapshot = travelled(await worker.snapshot());
    expect(counterByLabel(snapshot, 'pgweave_statements_total', 'route')).toMatchObject({
      home: 1,
    });
    expect(counterByLabel(snapshot, 'pgweave_nothing_total', 'route')).toEqual({});
  });
});
