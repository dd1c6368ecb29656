import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type ClientConfig } from 'pg';
import { findFreePorts } from '../../src/lab/free-port.ts';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { waitUntil } from '../../src/lab/wait-until.ts';
import { ChildRun } from './child-run.ts';
import { startTestCluster, type TestClusterOptions } from './lab.ts';

export type ServedOptions = TestClusterOptions & {
  /** Default 2. */
  readonly workers?: number;
  /** YAML of the options under `limits`, e.g. `clients_max: 5`. */
  readonly limits?: string;
  /** YAML of the options under `failover`, but for the state directory. */
  readonly failover?: string;
  /** YAML of further distributions and tables, a line each. */
  readonly distributions?: readonly string[];
  readonly tables?: readonly string[];
  /** YAML of more users, a line each, indented. */
  readonly users?: string;
  /** Files beside the configuration, by name. */
  readonly files?: { readonly [name: string]: string };
  /** Somebody else promotes the standbys of all shards. */
  readonly external?: boolean;
  /** YAML of whole sections, added at the end. */
  readonly more?: string;
  /** A module that pgweave loads before its own. */
  readonly preload?: string;
  /** `host:port` under which pgweave knows a node; default: its own. */
  readonly prepare?: (lab: LabCluster) => Promise<(node: PostgresServer) => string>;
};

export type ConsoleRow = { readonly [column: string]: string | null };

/**
 * Real shards behind `pgweave serve`. Rows lie by an integer key `id`: shard number n (from 0) has
 * the keys from n * 1000000 on. `app` is admin, `reader` is not; their passwords are their names.
 */
export class ServedCluster {
  readonly lab: LabCluster;
  #run: ChildRun;
  readonly configPath: string;
  readonly configText: string;
  readonly #preload: string | undefined;
  #port: number;
  readonly adminPort: number;

  private constructor(
    lab: LabCluster,
    run: ChildRun,
    place: { readonly configPath: string; readonly configText: string; readonly preload?: string },
    ports: { readonly port: number; readonly adminPort: number },
  ) {
    this.lab = lab;
    this.#run = run;
    this.configPath = place.configPath;
    this.configText = place.configText;
    this.#preload = place.preload;
    this.#port = ports.port;
    this.adminPort = ports.adminPort;
  }

  static async start(options: ServedOptions): Promise<ServedCluster> {
    const lab = await startTestCluster(options);
    const directory = await mkdtemp(join(tmpdir(), 'pgweave-served-'));
    const configPath = join(directory, 'pgweave.yaml');
    const [adminPort = 0] = await findFreePorts(1);
    const addressOf = (await options.prepare?.(lab)) ?? (({ id }) => id);
    const configText = servedConfig(lab, options, { adminPort, addressOf });
    await writeFile(configPath, configText);
    for (const [name, text] of Object.entries(options.files ?? {})) {
      await writeFile(join(directory, name), text);
    }
    const { preload } = options;
    const run = serve(configPath, preload);
    try {
      const port = Number(new URL(await run.ready()).port);
      const place = { configPath, configText, ...(preload === undefined ? {} : { preload }) };
      return new ServedCluster(lab, run, place, { port, adminPort });
    } catch (error) {
      await run.stop();
      await lab.stop();
      throw error;
    }
  }

  /** The supervisor and its workers, as far as they run. */
  get run(): ChildRun {
    return this.#run;
  }

  get port(): number {
    return this.#port;
  }

  /** Again after it was killed; the port is another one. */
  async restart(): Promise<void> {
    await this.#run.ended();
    this.#run = serve(this.configPath, this.#preload);
    this.#port = Number(new URL(await this.#run.ready()).port);
  }

  async stop(): Promise<void> {
    await this.run.stop();
    await this.lab.stop();
    await rm(join(this.configPath, '..'), { recursive: true, force: true });
  }

  /** Connected; its `error` events are ignored, its queries reject. */
  async connect(options: ClientConfig = {}): Promise<Client> {
    const client = new Client({
      host: '127.0.0.1',
      port: this.port,
      user: 'app',
      password: 'app',
      database: 'app',
      ...options,
    });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  /** One command on the admin console. */
  async console(command: string, user = 'app'): Promise<readonly ConsoleRow[]> {
    const client = await this.connect({ database: 'pgweave', user, password: user });
    try {
      return (await client.query(command)).rows;
    } finally {
      await client.end();
    }
  }

  async page(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}${path}`);
    return { status: response.status, text: await response.text() };
  }

  /** The configuration with `changed` in place of itself, in force. */
  async reconfigure(change: (text: string) => string): Promise<void> {
    await writeFile(this.configPath, change(this.configText));
    await this.console('reload');
  }

  /** A sample of /metrics, e.g. `pgweave_clients{worker="0"}`; summed over what begins with it. */
  async metric(sample: string): Promise<number> {
    const { text } = await this.page('/metrics');
    const lines = text.split('\n').filter((line) => line.startsWith(sample));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  /** Fails, with what was logged, when `reached` does not come true. */
  async until(
    what: string,
    reached: () => boolean | Promise<boolean>,
    timeoutMs = 10_000,
  ): Promise<void> {
    if (await waitUntil(reached, { timeoutMs, pollMs: 20 })) return;
    const lines = this.run.stderr.split('\n').slice(-30).join('\n');
    throw new Error(`waited ${timeoutMs} ms for ${what}:\n${lines}`);
  }

  /** Every shard's standby holds what is acknowledged. */
  async untilArmed(): Promise<void> {
    await this.until('all shards to be armed', async () => {
      const shards = await this.console('show shards');
      return shards.every(({ durability }) => durability === 'armed');
    });
  }

  /** Statements that nobody waits for any more, and connections nobody gave back. */
  async busyConnections(): Promise<number> {
    const pools = await this.console('show pools');
    return pools.reduce((sum, { active, waiting }) => sum + Number(active) + Number(waiting), 0);
  }

  async untilIdle(): Promise<void> {
    await this.until('all server connections to be given back', async () => {
      return (await this.busyConnections()) === 0;
    });
  }
}

function serve(configPath: string, preload: string | undefined): ChildRun {
  const words = ['serve', '--config', configPath];
  if (preload === undefined) return new ChildRun(words);
  return new ChildRun(words, { env: { ...process.env, NODE_OPTIONS: `--import=${preload}` } });
}

function servedConfig(
  lab: LabCluster,
  options: ServedOptions,
  {
    adminPort,
    addressOf,
  }: { readonly adminPort: number; readonly addressOf: (node: PostgresServer) => string },
): string {
  const { shards } = options;
  const nodes = lab.shards.map(({ name, nodes }) => {
    const promotion = options.external === true ? ', promotion: external' : '';
    const addresses = nodes.map((node) => `"${addressOf(node)}"`).join(', ');
    return `  ${name}: { nodes: [${addresses}]${promotion} }\n`;
  });
  const ranges = shards.map((shard, index) => {
    const from = index === 0 ? '' : `, from: ${index * 1_000_000}`;
    const to = index === shards.length - 1 ? '' : `, to: ${(index + 1) * 1_000_000}`;
    return `      - { shard: ${shard}${from}${to} }\n`;
  });
  return `database: app
workers: ${options.workers ?? 2}
listen: { host: 127.0.0.1, port: 0 }
admin: { host: 127.0.0.1, port: ${adminPort} }
shards:
${nodes.join('')}home: ${shards[0]}
distributions:
  by_id:
    type: integer
    ranges:
${ranges.join('')}${indented(options.distributions)}tables:
  entry: { distribution: by_id, key: id }
${indented(options.tables)}users:
  app: { password: app, admin: true }
  reader: { password: reader, server_user: app, stats: true }
${options.users ?? ''}control: { user: postgres }
limits: { drain_timeout: 3s, ${options.limits ?? ''} }
failover: { state_directory: state, cooldown: 0, accept_off: [fsync], ${options.failover ?? ''} }
${options.more ?? ''}`;
}

function indented(lines: readonly string[] = []): string {
  return lines.map((line) => `  ${line}\n`).join('');
}

/** For the tables that ServedCluster's configuration names. */
export const entrySchema = `
  create table entry (id int primary key, note text);
  create table setting (name text primary key, value text)`;
