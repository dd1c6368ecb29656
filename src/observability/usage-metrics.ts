import { performance } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';

/**
 * CPU, memory and event loop of this process, labelled with who it is, so that one busy worker
 * shows. Read when asked for, no timer.
 */
export function registerUsageMetrics(registry: Registry, source: string): void {
  new Counter({
    name: 'pgweave_cpu_seconds_total',
    help: 'User and system CPU time.',
    labelNames: ['source'],
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc({ source }, (user + system) / 1e6);
    },
  });
  new Gauge({
    name: 'pgweave_resident_memory_bytes',
    help: 'Resident set size.',
    labelNames: ['source'],
    registers: [registry],
    collect() {
      this.set({ source }, process.memoryUsage.rss());
    },
  });
  let last = performance.eventLoopUtilization();
  new Gauge({
    name: 'pgweave_event_loop_utilization',
    help: 'Share of the time since the last reading in which the event loop was busy, 0 to 1.',
    labelNames: ['source'],
    registers: [registry],
    collect() {
      const now = performance.eventLoopUtilization();
      this.set({ source }, performance.eventLoopUtilization(now, last).utilization);
      last = now;
    },
  });
}
