import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { demoConfigText } from './demo-config.ts';
import { loadDemo } from './demo-load.ts';
import { demoReservationsCount, demoRows } from './demo-rows.ts';
import { demoShards } from './demo-shards.ts';
import { LabCluster } from './lab-cluster.ts';
import { loadError } from './load-error.ts';

export type DemoOptions = {
  /** 1 to 26; 4 are a_d, e_o, p_u, v_z. */
  readonly shards: number;
  /** Kept between runs; null: a temporary one, removed at the end. */
  readonly directory: string | null;
  /** False: tables without rows. */
  readonly rows: boolean;
  /** Of pgweave itself, for the configuration. */
  readonly port: number;
  readonly adminPort: number;
  /** One line for people, at the start of each step. */
  readonly onProgress: (line: string) => void;
  /** Aborting a start leaves nothing behind. */
  readonly signal?: AbortSignal | undefined;
};

export type DemoCluster = {
  /** For nodes, `rebuild` and the superuser's login. */
  readonly lab: LabCluster;
  readonly configPath: string;
  readonly configText: string;
  readonly config: Config;
  /** Within 5 s; nothing is left but a directory that was asked for. */
  stop(): Promise<void>;
};

// Two nodes with a share of the rows and as much WAL as server-settings.ts lets them keep.
const shardBytesMax = 512 * 1024 ** 2;

/**
 * Real shards with synchronous standbys, the booking service's tables and rows, and a configuration
 * for them. A directory that holds a demo is started again with the rows that it has.
 */
export async function startDemoCluster(options: DemoOptions): Promise<DemoCluster> {
  const { onProgress, signal } = options;
  const shards = demoShards(options.shards);
  const names = shards.map(({ name }) => name);
  onProgress(`starting a primary and a standby for ${names.join(', ')}`);
  const lab = await LabCluster.start({
    shards: names,
    standbys: 1,
    directory: options.directory,
    bytesMax: shards.length * shardBytesMax,
    database: 'app',
    authentication: 'scram-sha-256',
    locale: { provider: 'builtin', name: 'C.UTF-8' },
    durable: true,
    settings: {},
    signal,
  });
  try {
    const configText = demoConfigText({
      ...lab.login,
      shards: shards.map((shard) => ({
        ...shard,
        nodes: lab.shard(shard.name).nodes.map(({ id }) => id),
      })),
      port: options.port,
      adminPort: options.adminPort,
      stateDirectory: join(lab.directory, 'state'),
    });
    const configPath = join(lab.directory, 'pgweave.yaml');
    await writeFile(configPath, configText, { mode: 0o600 });
    await chmod(configPath, 0o600);
    const loaded = loadConfig(configText, { path: configPath, environment: {} });
    assert(loaded.kind === 'loaded', `the demo's configuration has mistakes: ${configPath}`);
    if (!lab.existing) {
      onProgress(
        options.rows
          ? `loading ${demoReservationsCount.toLocaleString('en-US')} reservations of four years`
          : 'creating the tables',
      );
      await loadDemo(lab, options.rows ? demoRows() : null, loaded.config.shardMap, signal);
      await lab.keep();
    }
    return { lab, configPath, configText, config: loaded.config, stop: () => lab.stop() };
  } catch (error) {
    const reason = await loadError(error, lab.directory);
    await lab.discard();
    throw reason;
  }
}
