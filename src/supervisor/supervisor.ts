import type { ClusterView, ReloadOutcome, ReloadWish } from '../admin/cluster-view.ts';
import { createAdminConsole } from '../admin/console.ts';
import { type AdminHttp, startAdminHttp } from '../admin/http.ts';
import { unreachable } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { LogLevel, Telemetry } from '../base/telemetry.ts';
import type { CatalogueSnapshot } from '../cluster/catalogue/catalogue-snapshot.ts';
import type { ShardState } from '../cluster/failover/shard-state.ts';
import type { Config, User } from '../config/config.ts';
import type { AdminConsole } from '../frontend/admin-console.ts';
import { Admissions } from './admissions.ts';
import { CatalogueKeeper } from './catalogue-keeper.ts';
import { ClientListener } from './client-listener.ts';
import type { ClusterControl, StartCluster } from './cluster-control.ts';
import { consoleError } from './console-error.ts';
import { DeadlockWatch } from './deadlock-watch.ts';
import { DriftWatch } from './drift-watch.ts';
import { credentialFiles, FileWatch, marksOf } from './file-watch.ts';
import type { LoadedConfiguration } from './loaded-configuration.ts';
import { lookingAround } from './look-around.ts';
import type { WorkerConfiguration } from './messages.ts';
import { type ReloadParts, rehearseReload, reloadConfiguration } from './reload-configuration.ts';
import { metricsPage, obstacles, workerViews } from './supervisor-view.ts';
import { TransactionKeeper } from './transaction-keeper.ts';
import type { OpenWorkerChannel } from './worker-channel.ts';
import type { Reply } from './worker-slot.ts';
import { type ApplyOutcome, type RequestOfWorker, Workers } from './workers.ts';

/** Tables made behind the proxy's back are seen after this time at the latest. */
const cataloguePeriodMs = 5_000;

export type SupervisorParts = {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly setLogLevel: (level: LogLevel) => void;
  readonly version: string;
  readonly configPath: string;
  readonly configuration: LoadedConfiguration;
  /** Reads the file again; rejects with PgError F0000 that lists every mistake. */
  readonly readConfiguration: (shardMapVersion: number) => Promise<LoadedConfiguration>;
  readonly startCluster: StartCluster;
  /** As in WorkerConfiguration. */
  readonly mockSecret: string;
  /** Of the file that the configuration names; rejects with PgError F0000. */
  readonly readUsersFile: (config: Config) => Promise<readonly User[]>;
  readonly openWorker: OpenWorkerChannel;
};

/** `serve` without its command line: everything that is not a statement. */
export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #workers: Workers;
  readonly #listener: ClientListener;
  readonly #admissions = new Admissions();
  readonly #keeper: CatalogueKeeper;
  readonly #drift: DriftWatch;
  readonly #console: AdminConsole;
  readonly #view: ClusterView;
  #configuration: LoadedConfiguration;
  #cluster: ClusterControl | null = null;
  #transactions: TransactionKeeper | null = null;
  #deadlocks: DeadlockWatch | null = null;
  #http: AdminHttp | null = null;
  #fileUsers: readonly User[] = [];
  #watch: FileWatch | null = null;
  #clientPort: number | null = null;
  #phase: 'starting' | 'running' | 'stopping' = 'starting';
  #cancelTimer: () => void = () => {};
  #starting: Promise<void> = Promise.resolve();
  #reloading: Promise<unknown> = Promise.resolve();
  #stopped: Promise<void> | null = null;

  constructor(parts: SupervisorParts) {
    const { clock, telemetry } = parts;
    this.#parts = parts;
    this.#configuration = parts.configuration;
    this.#workers = new Workers({
      clock,
      telemetry,
      open: parts.openWorker,
      workersCount: Math.max(parts.configuration.config.workers, 1),
      configuration: () => this.#workerConfiguration(),
      events: {
        onReady: () => this.#listener.dispatchWaiting(),
        onRequest: (request, reply, worker) => this.#onRequest(request, reply, worker),
        onDied: (worker) => this.#admissions.workerDied(worker),
        onUntaken: (sockets) => this.#listener.takeBack(sockets),
      },
    });
    this.#listener = new ClientListener(this.#workers, telemetry, {
      clientsMax: this.#config.limits.clientsMax,
    });
    this.#keeper = new CatalogueKeeper({
      telemetry,
      config: () => this.#config,
      read: (config) => this.#demandCluster().readCatalogue(config),
      onChanged: (catalogue) => this.#publishCatalogue(catalogue),
    });
    this.#drift = new DriftWatch({
      clock,
      telemetry,
      periodMs: () => this.#config.driftIntervalMs,
      read: async () =>
        await this.#demandCluster().readDrift(this.#config, started(this.#keeper.current)),
    });
    this.#view = this.#createView();
    this.#console = createAdminConsole(this.#view, telemetry);
  }

  /** Of the listening socket; the system's choice when the configuration says 0. */
  get clientPort(): number | null {
    return this.#clientPort;
  }

  get adminPort(): number | null {
    return this.#http?.port ?? null;
  }

  /** Why clients cannot be served, a line each; empty: ready. */
  obstacles(): readonly string[] {
    return this.#view.obstacles();
  }

  /** Resolves when clients are accepted; when it rejects, nothing is left running. */
  async start(): Promise<void> {
    try {
      this.#starting = this.#startAll();
      await this.#starting;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Also for SIGHUP. Logs its outcome, every mistake of the file included. */
  reload(wish: ReloadWish = { allowStranded: false }): Promise<ReloadOutcome> {
    const reload = this.#reloading.then(() => this.#reload(wish));
    this.#reloading = reload.catch((error: unknown) => {
      const { telemetry } = this.#parts;
      const mistakes = error instanceof PgError ? error.detail : undefined;
      const fields = { error, mistakes };
      telemetry.log('error', 'reload refused, the running configuration stays', fields);
    });
    return reload;
  }

  /** Drains: no new clients, transactions finish up to the limit. Later calls share the first. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  get #config(): Config {
    return this.#configuration.config;
  }

  async #startAll(): Promise<void> {
    const { startCluster, clock, telemetry, readUsersFile } = this.#parts;
    const marks = await marksOf(credentialFiles(this.#config));
    this.#fileUsers = await readUsersFile(this.#config);
    this.#http = await startAdminHttp(() => this.#config.admin, this.#view, telemetry);
    this.#demandNotStopping();
    this.#workers.open();
    this.#cluster = await startCluster({
      onShardStates: (states) => this.#publishStates(states),
      lookAround: lookingAround(this.#workers, () => this.#transactions),
    });
    const { recovery } = this.#cluster;
    const settleMaxMs = () => this.#config.limits.holdMaxMs;
    // First, because DDL that was left prepared locks its tables; the table of decisions follows.
    this.#transactions = new TransactionKeeper({ clock, recovery, settleMaxMs });
    await this.#keeper.readFirst(clock, () => this.#demandNotStopping());
    await this.#transactions.look();
    await this.#workers.start();
    this.#demandNotStopping();
    this.#clientPort = await this.#listener.listen(this.#config.listen);
    this.#demandNotStopping();
    this.#deadlocks = new DeadlockWatch({
      clock,
      telemetry,
      lockWaits: () => recovery.lockWaits(),
      holders: () => this.#workers.holders(),
      breakDeadlock: (session) => this.#workers.breakDeadlock(session),
    });
    this.#watch = new FileWatch(
      clock,
      marks,
      () => credentialFiles(this.#config),
      () => this.#refreshCredentials(),
    );
    this.#phase = 'running';
    this.#cancelTimer = clock.every(cataloguePeriodMs, () => {
      // refresh() never rejects.
      void this.#keeper.refresh();
    });
    this.#drift.start();
    telemetry.log('info', 'accepting clients', { ...this.#config.listen, port: this.#clientPort });
  }

  async #stopAll(): Promise<void> {
    const { telemetry } = this.#parts;
    this.#phase = 'stopping';
    this.#cancelTimer();
    this.#listener.close();
    telemetry.log('info', 'draining', { clients: this.#workers.sessionsCount });
    await this.#workers.stop(this.#config.limits.drainTimeoutMs);
    // A start under way has noticed by now; what it still opened is closed below.
    await this.#starting.catch(() => {});
    this.#listener.close();
    this.#watch?.close();
    this.#deadlocks?.stop();
    this.#drift.stop();
    this.#transactions?.stop();
    await this.#cluster?.stop();
    await this.#http?.close();
    telemetry.log('info', 'stopped');
  }

  async #reload(wish: ReloadWish): Promise<ReloadOutcome> {
    const { config, ...outcome } = await reloadConfiguration(this.#reloadParts(), wish);
    this.#parts.setLogLevel(config.log.level);
    this.#listener.setClientsMax(config.limits.clientsMax);
    return outcome;
  }

  #reloadParts(): ReloadParts {
    const { telemetry, readConfiguration, readUsersFile } = this.#parts;
    if (this.#phase !== 'running') {
      const state = SqlState.objectNotInPrerequisiteState;
      throw new PgError(state, `cannot reload while ${this.#phase}`);
    }
    return {
      telemetry,
      cluster: this.#demandCluster(),
      running: { configuration: this.#configuration, fileUsers: this.#fileUsers },
      read: async () => {
        const configuration = await readConfiguration(this.#config.shardMap.version + 1);
        return { configuration, fileUsers: await readUsersFile(configuration.config) };
      },
      apply: async ({ configuration, fileUsers }, catalogue) => {
        this.#configuration = configuration;
        this.#fileUsers = fileUsers;
        if (catalogue !== null) this.#keeper.adopt(catalogue);
        return await this.#applyConfiguration();
      },
    };
  }

  /** Certificates, keys and users of the running configuration, which stays as it is. */
  #refreshCredentials(): void {
    const { telemetry, readUsersFile } = this.#parts;
    const refresh = this.#reloading.then(async () => {
      if (this.#phase !== 'running') return;
      this.#fileUsers = await readUsersFile(this.#config);
      const { refused } = await this.#applyConfiguration();
      if (refused.length > 0) throw new PgError(SqlState.configFileError, refused.join('; '));
      telemetry.log('info', 'certificates and users were read again');
    });
    this.#reloading = refresh.catch((error: unknown) => {
      telemetry.log('error', 'certificates or users cannot be used, the old ones stay', { error });
    });
  }

  async #applyConfiguration(): Promise<ApplyOutcome> {
    const configuration = this.#workerConfiguration();
    return await this.#workers.apply((id) => ({ type: 'configuration', id, configuration }));
  }

  #workerConfiguration(): WorkerConfiguration {
    return {
      version: this.#config.shardMap.version,
      configText: this.#configuration.text,
      configPath: this.#parts.configPath,
      shardStates: this.#demandCluster().shardStates(),
      catalogue: started(this.#keeper.current),
      mockSecret: this.#parts.mockSecret,
      fileUsers: this.#fileUsers,
    };
  }

  #publishStates(states: readonly ShardState[]): void {
    this.#workers.broadcast({ type: 'shard-states', states });
  }

  async #publishCatalogue(catalogue: CatalogueSnapshot): Promise<void> {
    const { silent } = await this.#workers.apply((id) => ({ type: 'catalogue', id, catalogue }));
    this.#parts.telemetry.log('info', 'the tables of the shards were read', { silent });
  }

  #onRequest(request: RequestOfWorker, reply: Reply, worker: number): void {
    switch (request.type) {
      case 'server-lost':
        this.#cluster?.serverLost(request.node);
        break;
      case 'proof-of-life':
        this.#cluster?.proofOfLife(request.nodes);
        break;
      case 'schema-changed':
        // Neither of the two rejects: both turn errors into an answer.
        void this.#keeper.refresh().then(() => reply({ type: 'schema-read', id: request.id }));
        break;
      case 'settle':
        void this.#demandTransactions()
          .settle(request.transaction, request.shards)
          .then((outcome) => reply({ type: 'settled', id: request.id, outcome }));
        break;
      case 'commit-question':
        void this.#demandCluster()
          .resolveCommit(request.question)
          .then((outcome) => reply({ type: 'settled', id: request.id, outcome }));
        break;
      case 'admit': {
        const { id, client, places } = request;
        const full = this.#admissions.take(worker, client, places, this.#config.limits);
        reply({ type: 'admitted', id, full });
        break;
      }
      case 'left':
        this.#admissions.leave(worker, request.client);
        break;
      case 'admin':
        void this.#execute(request, reply);
        break;
      default:
        unreachable(request);
    }
  }

  async #execute(
    request: Extract<RequestOfWorker, { type: 'admin' }>,
    reply: Reply,
  ): Promise<void> {
    const { id, sql, user } = request;
    try {
      reply({ type: 'admin-result', id, result: await this.#console.execute(sql, user) });
    } catch (error) {
      reply({ type: 'admin-error', id, error: consoleError(error, this.#parts.telemetry) });
    }
  }

  #createView(): ClusterView {
    const reading = () => ({
      version: this.#parts.version,
      config: this.#config,
      status: this.#cluster?.status() ?? { shards: [], nodes: [] },
      inDoubt: this.#transactions?.inDoubt ?? [],
      drift: this.#drift.found,
      clientsRefused: this.#listener.refusedTotal,
      workers: this.#workers,
      phase: this.#phase,
    });
    return {
      version: this.#parts.version,
      configPath: this.#parts.configPath,
      config: () => this.#config,
      status: () => reading().status,
      workers: (wanted) => workerViews(this.#workers, wanted),
      reload: (wish) => this.reload(wish),
      rehearseReload: () => rehearseReload(this.#reloadParts()),
      command: (shard, command) => this.#demandCluster().command(shard, command),
      rehearse: (shard, command) => this.#demandCluster().rehearse(shard, command),
      pastFailovers: () => this.#cluster?.pastFailovers() ?? [],
      transactions: async () => (await this.#demandTransactions().look()).inDoubt,
      resolve: (id, outcome) => this.#demandTransactions().resolve(id, outcome),
      drift: () => this.#drift.look(),
      obstacles: () => obstacles(reading()),
      metrics: () => metricsPage(reading()),
    };
  }

  #demandCluster(): ClusterControl {
    return started(this.#cluster);
  }

  #demandTransactions(): TransactionKeeper {
    return started(this.#transactions);
  }

  #demandNotStopping(): void {
    if (this.#phase !== 'stopping') return;
    throw new PgError(SqlState.adminShutdown, 'stopped while starting up');
  }
}

function started<Part>(part: Part | null): Part {
  if (part !== null) return part;
  throw new PgError(SqlState.cannotConnectNow, 'the proxy is starting up');
}
