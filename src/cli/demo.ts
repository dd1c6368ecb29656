import { createServer } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { listen } from '../base/listen.ts';
import { type DemoCluster, startDemoCluster } from '../lab/demo-cluster.ts';
import type { DemoArguments } from './arguments.ts';
import { rebuildDead } from './demo-rebuild.ts';
import { demoText } from './demo-text.ts';
import { runSupervisor } from './run-supervisor.ts';
import { untilSignal } from './until-signal.ts';

/** `pgweave demo`: a cluster with pgweave in front, until SIGINT or SIGTERM. */
export async function demo(options: DemoArguments, clock: Clock): Promise<void> {
  const { asked, abort } = untilSignal(() => {});
  const startedAt = clock.now();
  const progress = (line: string) => {
    const seconds = ((clock.now() - startedAt) / 1000).toFixed(1);
    process.stdout.write(`[${seconds.padStart(5)} s] ${line}\n`);
  };
  let cluster: DemoCluster | null = null;
  await demandFreePort(options.port, 'clients');
  await demandFreePort(options.adminPort, 'health and metrics');
  try {
    cluster = await startDemoCluster({
      ...options,
      onProgress: progress,
      signal: abort,
    });
    progress('starting pgweave');
    const { configPath, configText, config } = cluster;
    const configuration = { text: configText, config };
    const { nodes } = cluster.lab;
    const { supervisor } = await runSupervisor(configPath, configuration, {
      clock,
      signal: abort,
      pidOf: (id) => nodes.find((node) => node.id === id)?.pid ?? null,
    });
    const [shard] = cluster.lab.shards;
    process.stdout.write(
      demoText({
        port: supervisor.clientPort ?? options.port,
        adminPort: supervisor.adminPort ?? options.adminPort,
        configPath,
        victim: {
          shard: shard?.name ?? '',
          name: shard?.primary.name ?? '',
          pid: shard?.primary.pid ?? null,
        },
      }),
    );
    const stopRebuilding = rebuildDead(cluster.lab, clock, progress);
    await asked;
    progress('stopping');
    await Promise.all([stopRebuilding(), supervisor.stop(), cluster.stop()]);
  } catch (error) {
    await cluster?.stop();
    if (!abort.aborted) throw error;
  }
}

/** Before any server is started: a mistake should cost no time. */
async function demandFreePort(port: number, purpose: string): Promise<void> {
  const server = createServer();
  await listen(server, { host: '127.0.0.1', port, purpose });
  await new Promise((resolve) => server.close(resolve));
}
