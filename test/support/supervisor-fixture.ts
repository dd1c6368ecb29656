import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import { PgError } from '../../src/base/pg-error.ts';
import { SqlState } from '../../src/base/sql-state.ts';
import type { LogLevel } from '../../src/base/telemetry.ts';
import type {
  CatalogueSnapshot,
  RelationSnapshot,
} from '../../src/cluster/catalogue/catalogue-snapshot.ts';
import type { Drift } from '../../src/cluster/drift/find-drift.ts';
import type { ShardState } from '../../src/cluster/failover/shard-state.ts';
import type { StrandedRows } from '../../src/cluster/map-edit/find-stranded.ts';
import type { LockWait } from '../../src/cluster/transactions/lock-waits.ts';
import type { RecoveryReport } from '../../src/cluster/transactions/transaction-recovery.ts';
import type { Config } from '../../src/config/config.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import type { ClusterControl, ClusterEvents } from '../../src/supervisor/cluster-control.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import type { OpenWorkerChannel } from '../../src/supervisor/worker-channel.ts';
import { configFixture, firstShard, secondShard } from './config-fixture.ts';
import { wellFixture } from './failover-fixture.ts';

/** A supervisor over a cluster that does what the test says, and everything it was told. */
export class SupervisorFixture {
  readonly supervisor: Supervisor;
  readonly told: string[] = [];
  readonly log: { readonly level: LogLevel; readonly message: string; readonly fields: unknown }[] =
    [];
  events: ClusterEvents | null = null;
  states: readonly ShardState[] = [shardState('127.0.0.1:5433')];
  relations: readonly RelationSnapshot[] = [];
  catalogueFails = false;
  drift: readonly Drift[] = [];
  /** What is found, question by question. */
  readonly stranded: (readonly StrandedRows[])[] = [];
  lockWaits: ReadonlyMap<ShardId, readonly LockWait[]> = new Map();
  /** What every look at transactions in doubt finds. */
  report: RecoveryReport = { inDoubt: [], unread: new Set(), outcomes: new Map() };
  catalogueReads = 0;
  /** What the file says next; null: it has mistakes. */
  nextConfig: { readonly text: string; readonly config: Config } | null = null;

  constructor(open: OpenWorkerChannel, config: Partial<Config> = {}, configText = 'first') {
    this.supervisor = new Supervisor({
      clock: systemClock,
      telemetry: {
        log: (level, message, fields) => this.log.push({ level, message, fields }),
        statement: () => {},
        shardLatency: () => {},
        gathered: () => {},
        loginFailed: () => {},
        errorSent: () => {},
      },
      setLogLevel: (level) => this.told.push(`log level ${level}`),
      version: '1.2.3',
      configPath: '/etc/pgweave.yaml',
      mockSecret: '00',
      readUsersFile: async () => [],
      configuration: { text: configText, config: configFixture(config) },
      readConfiguration: async (version) => this.#read(version),
      startCluster: async (events) => {
        this.events = events;
        return this.#cluster();
      },
      openWorker: open,
    });
  }

  get port(): number {
    return this.supervisor.clientPort ?? 0;
  }

  #read(version: number): { readonly text: string; readonly config: Config } {
    if (this.nextConfig === null) {
      throw new PgError(SqlState.configFileError, 'the configuration has 1 mistake', {
        detail: 'pgweave.yaml:3:5: unknown option "shrads"',
      });
    }
    const { text, config } = this.nextConfig;
    return { text, config: { ...config, shardMap: { ...config.shardMap, version } } };
  }

  #cluster(): ClusterControl {
    return {
      shardStates: () => this.states,
      status: () => ({
        shards: [firstShard, secondShard].map((shard) => ({
          shard,
          epoch: 3,
          primary: this.states[0]?.primary ?? null,
          standbys: [],
          state: 'open',
          ...wellFixture,
          durability: 'armed' as const,
          failovers: 1,
          reason: this.states[0]?.reason ?? '',
        })),
        nodes: [],
      }),
      serverLost: (node) => this.told.push(`lost ${node}`),
      proofOfLife: (nodes) => this.told.push(`life ${nodes.join(' ')}`),
      command: async () => {
        throw new PgError(SqlState.objectNotInPrerequisiteState, 'no standby');
      },
      rehearse: () => ({ willDo: false, message: 'no standby', nodes: [] }),
      resolveCommit: async () => null,
      pastFailovers: () => [],
      reconfigure: async (config) => {
        this.told.push(`reconfigure ${config.shardMap.version}`);
      },
      readCatalogue: async () => this.#readCatalogue(),
      readDrift: async () => this.drift,
      findStranded: async () => this.stranded.shift() ?? [],
      mapAdopted: async ({ shardMap }) => {
        this.told.push(`map ${shardMap.version}`);
      },
      recovery: {
        recover: async () => this.report,
        lockWaits: async () => this.lockWaits,
        interrupt: async (id) => {
          this.told.push(`interrupt ${id}`);
        },
        force: async ({ shards }, outcome) => {
          this.told.push(`${outcome} on ${shards.join(' ')}`);
          return shards;
        },
        close: () => {},
      },
      stop: async () => {
        this.told.push('stop');
      },
    };
  }

  #readCatalogue(): CatalogueSnapshot {
    this.catalogueReads++;
    if (this.catalogueFails) throw new PgError(SqlState.cannotConnect, 'connection refused');
    return {
      version: this.catalogueReads,
      defaultCollation: 'c',
      relations: this.relations,
      functions: [],
      leftovers: { names: [], settings: [] },
      misplaced: [],
      combineNodes: [],
      types: [],
    };
  }
}

export function shardState(primary: string | null): ShardState {
  return {
    shard: firstShard,
    epoch: 3,
    primary: primary as ShardState['primary'],
    heir: null,
    standbys: [],
    identity: null,
    reason: primary === null ? 'promoting' : '',
  };
}

/** Waits for something that another process brings about; fails after 10 s. */
export async function eventually<Value>(
  look: () => Value | null | undefined | false | Promise<Value | null | undefined | false>,
): Promise<Value> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${look.toString()}`);
    await sleep(10);
  }
}
