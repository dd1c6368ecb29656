import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { silentTelemetry, type Telemetry } from '../../src/base/telemetry.ts';
import type { FailoverJournal } from '../../src/cluster/failover/failover-journal.ts';
import type { HookCall, HookOutcome } from '../../src/cluster/failover/hook-call.ts';
import type { OperatorCommand } from '../../src/cluster/failover/operator-command.ts';
import type { ShardState } from '../../src/cluster/failover/shard-state.ts';
import { ClusterMonitor } from '../../src/cluster/monitor/cluster-monitor.ts';
import { FileRecordStore } from '../../src/cluster/monitor/file-record-store.ts';
import type { Config, Failover, NodeAddress, NodeId } from '../../src/config/config.ts';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import type { LabShard } from '../../src/lab/lab-shard.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { waitUntil } from '../../src/lab/wait-until.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import { localAdmin, unencrypted } from './config-fixture.ts';
import { failoverFixture } from './failover-fixture.ts';

/** A lab cluster under a monitor of its own, and what the monitor has said so far. */
export class WatchedCluster {
  readonly lab: LabCluster;
  readonly config: Config;
  readonly store: FileRecordStore;
  states: readonly ShardState[] = [];
  readonly history: ShardState[] = [];
  readonly journals: FailoverJournal[] = [];
  readonly lines: string[] = [];
  readonly hookCalls: HookCall[] = [];
  /** What a test wants to know at that moment. */
  beforeHook: (call: HookCall) => Promise<void> = async () => {};
  #monitor: ClusterMonitor | null = null;

  private constructor(lab: LabCluster, config: Config) {
    this.lab = lab;
    this.config = config;
    this.store = new FileRecordStore(config.failover.stateDirectory);
  }

  static async start(
    lab: LabCluster,
    failover: Partial<Failover> = {},
    externalShards: readonly string[] = [],
  ): Promise<WatchedCluster> {
    const stateDirectory = await mkdtemp(join(tmpdir(), 'pgweave-state-'));
    const config = watchConfig(lab, { stateDirectory, ...failover });
    const watched = new WatchedCluster(lab, {
      ...config,
      externalShards: new Set(externalShards.map((shard) => shard as ShardId)),
    });
    await watched.startMonitor();
    return watched;
  }

  get monitor(): ClusterMonitor {
    if (this.#monitor === null) throw new Error('no monitor runs');
    return this.#monitor;
  }

  /** `failover`: other options than at the first start. */
  async startMonitor(failover: Failover = this.config.failover): Promise<void> {
    const telemetry: Telemetry = {
      ...silentTelemetry,
      log: (level, message, fields) => {
        this.lines.push(`${Math.round(systemClock.now())} ${level} ${message} ${text(fields)}`);
      },
    };
    this.#monitor = await ClusterMonitor.start({
      config: { ...this.config, failover },
      store: this.store,
      clock: systemClock,
      telemetry,
      onShardStates: (states) => {
        this.history.push(...states.filter((state) => !this.states.includes(state)));
        this.states = states;
      },
      onJournal: (entry) => {
        this.journals.push(entry);
      },
      runHook: (call) => this.runHook(call),
    });
  }

  /** As a reload does. */
  async reconfigure(failover: Partial<Failover>): Promise<void> {
    const { config } = this;
    await this.monitor.reconfigure({ ...config, failover: { ...config.failover, ...failover } });
  }

  /** The hooks of the lab: a node is rebuilt as a standby; fences and notices are only remembered. */
  async runHook(call: HookCall): Promise<HookOutcome> {
    this.hookCalls.push(call);
    await this.beforeHook(call);
    const node = this.lab.nodes.find(({ id }) => id === call.node);
    if (call.hook === 'rejoin' && node !== undefined) await this.lab.rebuild(node);
    return { kind: 'done' };
  }

  /** An operator's command for the first shard. */
  command(command: OperatorCommand): Promise<string> {
    const [shard] = this.config.shardMap.shards;
    if (shard === undefined) throw new Error('the lab has no shard');
    return this.monitor.command(shard, command);
  }

  async stopMonitor(): Promise<void> {
    await this.#monitor?.stop();
    this.#monitor = null;
  }

  async stop(): Promise<void> {
    await this.stopMonitor();
    await rm(this.config.failover.stateDirectory, { recursive: true, force: true });
    await this.lab.stop();
  }

  /** The shard's published primary; null while statements are held. */
  primary(shard: LabShard): PostgresServer | null {
    const state = this.states.find((candidate) => candidate.shard === shard.name);
    return shard.nodes.find((node) => node.id === state?.primary) ?? null;
  }

  async until(
    what: string,
    reached: () => boolean | Promise<boolean>,
    timeoutMs = 10_000,
  ): Promise<void> {
    if (await waitUntil(reached, { timeoutMs, pollMs: 5 })) return;
    throw new Error(`waited ${timeoutMs} ms for ${what}:\n${this.lines.slice(-40).join('\n')}`);
  }

  async untilArmed(shard: LabShard): Promise<void> {
    await this.until(`${shard.name} to be armed`, () => this.durability(shard) === 'armed');
  }

  durability(shard: LabShard): string | undefined {
    return this.monitor.status().shards.find((status) => status.shard === shard.name)?.durability;
  }

  role(node: PostgresServer): string | undefined {
    return this.monitor.status().nodes.find((status) => status.node === node.id)?.role;
  }
}

/** A configuration of everything that the cluster folder looks at. */
export function watchConfig(
  lab: LabCluster,
  failover: Partial<Failover> & Pick<Failover, 'stateDirectory'>,
): Config {
  const shards = lab.shards.map((shard) => shard.name as ShardId);
  const [home] = shards;
  if (home === undefined) throw new Error('the lab has no shard');
  const addresses = (shard: LabShard): NodeAddress[] =>
    shard.nodes.map((node) => ({
      id: node.id as NodeId,
      host: node.host,
      port: node.port,
      shard: shard.name as ShardId,
    }));
  return {
    database: lab.login.database,
    listen: { host: '127.0.0.1', port: 0 },
    admin: localAdmin,
    workers: 0,
    shardMap: {
      version: 1,
      shards,
      home,
      distributions: new Map(),
      tables: new Map(),
      functions: new Set(),
    },
    externalShards: new Set(),
    combineNodes: [],
    nodes: new Map(lab.shards.map((shard) => [shard.name as ShardId, addresses(shard)])),
    hba: [],
    users: new Map(),
    controlUser: { name: 'postgres', password: lab.login.password },
    allowCleartextToServers: false,
    serverEncryption: unencrypted,
    usersFile: null,
    authQuery: null,
    allowMd5: false,
    tls: null,
    limits: {
      clientsMax: 100,
      clientsPerUserMax: null,
      clientsPerDatabaseMax: null,
      clientsPerAddressMax: null,
      serverConnectionsMax: 10,
      reservedConnectionsMax: 10,
      pipelineDepthMax: 8,
      messageBytesMax: 2 ** 24,
      acquireTimeoutMs: 5000,
      holdMaxMs: 10_000,
      loginTimeoutMs: 5000,
      connectTimeoutMs: 2000,
      drainTimeoutMs: 2000,
      serverIdleTimeoutMs: 60_000,
      mergeBytesMax: 2 ** 26,
      gatherBytesMax: 2 ** 26,
      clientBufferBytes: 2 ** 18,
      sessionBytesMax: 2 ** 26,
      planCacheEntries: 1000,
      preparedStatementsPerServerMax: 100,
    },
    failover: {
      ...failoverFixture,
      cooldownMs: 0,
      // Servers of the lab flush nothing.
      acceptsOff: ['fsync'],
      ...failover,
    },
    safeWrites: false,
    driftIntervalMs: 300_000,
    log: { level: 'info' },
  };
}

function text(fields: unknown): string {
  return JSON.stringify(fields, (_, value: unknown) =>
    value instanceof Error ? value.message : value,
  );
}
