import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ComingIdentity } from '../backend/coming-identity.ts';
import { ConnectionPool } from '../backend/connection-pool.ts';
import type { PrimaryIdentity } from '../backend/primary-identity.ts';
import { readServerTls, type ServerTls } from '../backend/server-tls.ts';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Telemetry } from '../base/telemetry.ts';
import { schemaFromSnapshot } from '../cluster/catalogue/catalogue-schema.ts';
import { translationsOf } from '../cluster/catalogue/server-types.ts';
import { PooledShardServers } from '../cluster/pooled-shard-servers.ts';
import { GlobalIds } from '../cluster/transactions/global-id.ts';
import type { Config, NodeAddress, NodeId } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import type { ExecutorWorld } from '../executor/executor-world.ts';
import { openMultiShardSelect } from '../executor/select/open-multi-shard-select.ts';
import { SharedPlanningSettings } from '../executor/session/planning-settings.ts';
import { StatementPlanner } from '../executor/statement-planner.ts';
import { type Accounts, accountsOf } from '../frontend/accounts.ts';
import { QueriedAccounts } from '../frontend/auth-query.ts';
import { ClientGate, type GateWorld } from '../frontend/client-gate.ts';
import { ClientTls } from '../frontend/client-tls.ts';
import { FailedLogins } from '../frontend/failed-logins.ts';
import { createLog } from '../observability/log.ts';
import { createTrafficMetrics } from '../observability/traffic-metrics.ts';
import { scramSaltOf } from '../protocol/scram-verifier.ts';
import type { TypeTranslation } from '../protocol/type-translation.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { loadParser } from '../sql/parser.ts';
import type { WorkerConfiguration } from '../supervisor/messages.ts';
import type {
  StartWorker,
  WorkerHandlers,
  WorkerLink,
  WorkerStart,
} from '../supervisor/worker-link.ts';

const proofOfLifeMs = 50;

/** Builds a worker: sessions above, planner and executor in the middle, pools below. */
export function workerStarter(clock: Clock): StartWorker {
  // Needs nothing of the configuration, which may be a while in coming.
  const parser = loadParser();
  return async (link, start) => {
    await parser;
    return new Worker(clock, link, start);
  };
}

class Worker implements WorkerHandlers {
  readonly #clock: Clock;
  readonly #link: WorkerLink;
  readonly #start: WorkerStart;
  readonly #log: ReturnType<typeof createLog>;
  readonly #metrics: ReturnType<typeof createTrafficMetrics>;
  readonly #telemetry: Telemetry;
  readonly #servers: PooledShardServers;
  #types: ReadonlyMap<ShardId, TypeTranslation>;
  readonly #planner: StatementPlanner;
  readonly #world: ExecutorWorld;
  readonly #gateWorld: GateWorld;
  readonly #gate: ClientGate;
  #config: Config;
  #serverTls: ServerTls;
  #schemaVersion = 1;

  constructor(clock: Clock, link: WorkerLink, start: WorkerStart) {
    const { configuration, place } = start;
    const source = `worker ${place.workerIndex}`;
    this.#clock = clock;
    this.#link = link;
    this.#start = start;
    this.#config = readConfiguration(configuration);
    this.#serverTls = readServerTls(this.#config.serverEncryption, process.env);
    this.#log = createLog({
      level: this.#config.log.level,
      readable: process.stderr.isTTY === true,
      source,
    });
    this.#metrics = createTrafficMetrics(source);
    this.#telemetry = {
      log: (level, message, fields) => this.#log.write(level, message, fields),
      statement: this.#metrics.statement,
      shardLatency: this.#metrics.shardLatency,
      gathered: this.#metrics.gathered,
      loginFailed: this.#metrics.loginFailed,
      errorSent: this.#metrics.errorSent,
    };
    this.#types = translationsOf(configuration.catalogue.types);
    this.#servers = this.#createServers(configuration);
    this.#planner = new StatementPlanner({
      shardMap: this.#config.shardMap,
      schema: schemaFromSnapshot(configuration.catalogue, this.#config.shardMap, 1),
      cacheEntries: this.#config.limits.planCacheEntries,
    });
    this.#world = {
      clock,
      telemetry: this.#telemetry,
      servers: this.#servers,
      planner: this.#planner,
      planningSettings: new SharedPlanningSettings(),
      openMultiShardSelect,
      limits: this.#config.limits,
      resolvesCommits: this.#config.failover.resolvesCommits,
      resolvesWrites: this.#config.failover.resolvesWrites,
      safeWrites: this.#config.safeWrites,
      catalogue: configuration.catalogue,
      schemaChanged: () => link.schemaChanged(),
      globalIds: new GlobalIds(randomBytes(8).toString('hex')),
      settleTransaction: (id, shards) => link.settleTransaction(id, shards),
      askAboutCommit: (question) => link.askAboutCommit(question),
    };
    this.#gateWorld = {
      executor: this.#world,
      console: link.console,
      workerIndex: place.workerIndex,
      config: this.#config,
      tls: clientTlsOf(this.#config),
      accounts: this.#accounts(this.#config, configuration),
      failedLogins: new FailedLogins(clock, (address) => link.loginFailed(address)),
      admission: link.admission,
      mockSecret: Buffer.from(configuration.mockSecret, 'hex'),
      forwardCancel: (key) => {
        link.cancel({ processId: key.backendId, secretKey: key.secret.toString('hex') });
      },
    };
    this.#gate = new ClientGate(this.#gateWorld);
    clock.every(proofOfLifeMs, () => this.#proveLife());
  }

  client(...[socket, refused]: Parameters<WorkerHandlers['client']>): void {
    this.#gate.accept(socket, refused);
  }

  shardStates(states: Parameters<WorkerHandlers['shardStates']>[0]): void {
    this.#servers.update(states);
    this.#gate.forgetParameters();
  }

  catalogue(catalogue: WorkerConfiguration['catalogue']): void {
    const { shardMap } = this.#config;
    this.#types = translationsOf(catalogue.types);
    this.#servers.setCombineNodes(this.#combineNodes(catalogue));
    this.#world.catalogue = catalogue;
    this.#schemaVersion += 1;
    this.#planner.replace(shardMap, schemaFromSnapshot(catalogue, shardMap, this.#schemaVersion));
  }

  configuration(configuration: WorkerConfiguration): void {
    const config = readConfiguration(configuration);
    const tls = clientTlsOf(config);
    this.#serverTls = readServerTls(config.serverEncryption, process.env);
    this.#gateWorld.tls = tls;
    this.#gateWorld.accounts = this.#accounts(config, configuration);
    this.#config = config;
    this.#gateWorld.config = config;
    this.#world.limits = config.limits;
    this.#world.resolvesCommits = config.failover.resolvesCommits;
    this.#world.resolvesWrites = config.failover.resolvesWrites;
    this.#world.safeWrites = config.safeWrites;
    this.#log.setLevel(config.log.level);
    this.#servers.reconfigure(config.nodes, config.limits);
    this.#servers.update(configuration.shardStates);
    this.catalogue(configuration.catalogue);
    this.#gate.forgetParameters();
  }

  loginFailed(address: string): void {
    this.#gateWorld.failedLogins.noteElsewhere(address);
  }

  cancel(key: Parameters<WorkerHandlers['cancel']>[0]): void {
    this.#gate.cancel({ backendId: key.processId, secret: Buffer.from(key.secretKey, 'hex') });
  }

  holders(): ReturnType<WorkerHandlers['holders']> {
    return this.#gate.holders();
  }

  breakDeadlock(session: number): void {
    this.#gate.breakDeadlock(session);
  }

  drain(timeoutMs: number): Promise<void> {
    return this.#gate.drain(timeoutMs);
  }

  async report(wanted: { readonly clients: boolean }): ReturnType<WorkerHandlers['report']> {
    return {
      clients: wanted.clients ? this.#gate.summaries() : [],
      pools: [...this.#servers.counts()].map(([node, counts]) => ({ node, counts })),
      shards: this.#servers.reports(),
      metrics: await this.#metrics.snapshot(),
    };
  }

  #createServers(configuration: WorkerConfiguration): PooledShardServers {
    const servers = new PooledShardServers({
      clock: this.#clock,
      nodes: this.#config.nodes,
      limits: this.#config.limits,
      createPool: (node, identity) => this.#createPool(node, identity),
    });
    servers.update(configuration.shardStates);
    servers.setCombineNodes(this.#combineNodes(configuration.catalogue));
    return servers;
  }

  #accounts(config: Config, { fileUsers, mockSecret }: WorkerConfiguration): Accounts {
    const { authQuery, allowMd5, shardMap } = config;
    const inFile = new Map(fileUsers.map((user) => [user.name, user]));
    const saltSecret = Buffer.from(mockSecret, 'hex');
    const queried =
      authQuery === null
        ? null
        : new QueriedAccounts({
            clock: this.#clock,
            telemetry: this.#telemetry,
            servers: this.#servers,
            home: shardMap.home,
            authQuery,
            passwords: { allowMd5, salt: (user) => scramSaltOf(user, saltSecret) },
          });
    return accountsOf([config.users, inFile], queried);
  }

  #combineNodes({ combineNodes }: WorkerConfiguration['catalogue']): readonly NodeAddress[] {
    return this.#config.combineNodes.filter(({ id }) => combineNodes.includes(id));
  }

  #createPool(
    node: NodeAddress,
    identity: PrimaryIdentity | ComingIdentity | null,
  ): ConnectionPool {
    const { database, limits, allowCleartextToServers } = this.#config;
    const { workersCount } = this.#start.place;
    return new ConnectionPool({
      node,
      database,
      connectionsMax: Math.max(1, Math.floor(limits.serverConnectionsMax / workersCount)),
      limits,
      allowCleartext: allowCleartextToServers,
      identity,
      tls: () => this.#serverTls,
      clock: this.#clock,
      telemetry: this.#telemetry,
      types: () => this.#types.get(node.shard) ?? null,
      onNodeTrouble: () => this.#link.serverLost(node.id),
    });
  }

  #proveLife(): void {
    const since = this.#clock.now() - proofOfLifeMs;
    const alive: NodeId[] = [];
    for (const [node, receivedAt] of this.#servers.lastReceived()) {
      if (receivedAt >= since) alive.push(node);
    }
    if (alive.length > 0) this.#link.proofOfLife(alive);
  }
}

function readConfiguration(configuration: WorkerConfiguration): Config {
  const { configText, configPath, version, mockSecret } = configuration;
  const loaded = loadConfig(configText, {
    path: configPath,
    environment: process.env,
    mapVersion: version,
    saltSecret: Buffer.from(mockSecret, 'hex'),
  });
  if (loaded.kind === 'loaded') return loaded.config;
  throw new PgError(SqlState.configFileError, 'the configuration has mistakes', {
    detail: loaded.mistakes.map(({ message }) => message).join('\n'),
  });
}

function clientTlsOf({ tls }: Config): ClientTls | null {
  if (tls === null) return null;
  const read = (file: string | null) => (file === null ? null : readFileSync(file));
  try {
    return new ClientTls({
      certificate: readFileSync(tls.certificateFile),
      key: readFileSync(tls.keyFile),
      authority: read(tls.caFile),
      revoked: read(tls.crlFile),
      minVersion: tls.minVersion,
    });
  } catch (cause) {
    throw new PgError(SqlState.configFileError, 'the TLS certificate or key cannot be used', {
      detail: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}
