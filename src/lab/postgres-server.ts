import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Guard } from './guard.ts';
import { isRunning, pidTree, signalAll } from './pid-tree.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { commandEnvironment } from './run-command.ts';
import type { ServerAccount } from './server-account.ts';
import { releaseSharedMemory } from './shared-memory.ts';
import { waitUntil } from './wait-until.ts';

export type PostgresServerOptions = {
  /** Unique in the lab, e.g. `a_d-1`. */
  readonly name: string;
  /** Holds `data` and `log`. */
  readonly directory: string;
  readonly port: number;
  readonly binaries: PostgresBinaries;
  readonly account: ServerAccount | null;
  readonly guard: Guard;
};

/** Another program listens there: the only failed start that is worth a try on another port. */
export class PortInUseError extends PgError {
  constructor({ host, port }: { readonly host: string; readonly port: number }) {
    super(SqlState.ioError, `port ${port} of ${host} is already in use`);
  }
}

// A crashed server replays up to max_wal_size before it is ready.
const startTimeoutMs = 60_000;
const fastStopTimeoutMs = 3_000;
const immediateStopTimeoutMs = 1_000;
const readyPollMs = 5;
const endPollMs = 5;

/** One PostgreSQL server on an existing data directory, started by us and never by anybody else. */
export class PostgresServer {
  readonly name: string;
  readonly host = '127.0.0.1';
  readonly directory: string;
  readonly account: ServerAccount | null;
  readonly #binaries: PostgresBinaries;
  readonly #guard: Guard;
  #port: number;
  #postmaster: ChildProcess | null = null;
  /** Of a killed postmaster: they notice at their next wait, and block a new start until then. */
  #orphans: readonly number[] = [];

  constructor(options: PostgresServerOptions) {
    this.name = options.name;
    this.directory = options.directory;
    this.account = options.account;
    this.#binaries = options.binaries;
    this.#guard = options.guard;
    this.#port = options.port;
  }

  get port(): number {
    return this.#port;
  }

  /** `host:port`: how the configuration, primary_conninfo and synchronous_standby_names call it. */
  get id(): string {
    return `${this.host}:${this.#port}`;
  }

  get dataDirectory(): string {
    return join(this.directory, 'data');
  }

  get logFile(): string {
    return join(this.directory, 'log');
  }

  /** Of the postmaster; null when it does not run. */
  get pid(): number | null {
    return this.#postmaster?.pid ?? null;
  }

  /** Takes effect at the next start. */
  moveTo(port: number): void {
    assert(this.#postmaster === null, 'a running server keeps its port');
    this.#port = port;
  }

  /**
   * Resolves when the server accepts connections (a standby: read-only ones). Rejects with 58030
   * and the first complaint of its log when it ends instead; nothing is left running then.
   */
  async start(signal?: AbortSignal): Promise<void> {
    assert(this.#postmaster === null, `${this.name} runs already`);
    signal?.throwIfAborted();
    await this.#waitForOrphans();
    const log = await open(this.logFile, 'a', 0o600);
    const { size: logStart } = await log.stat();
    try {
      await this.#spawn(log.fd);
    } finally {
      await log.close();
    }
    try {
      const ready = await waitUntil(() => this.pid === null || this.#isReady(), {
        timeoutMs: startTimeoutMs,
        pollMs: readyPollMs,
        signal,
      });
      if (this.pid === null) throw await this.#startError(logStart);
      if (!ready) throw new PgError(SqlState.ioError, `${this.name} did not start in time`);
    } catch (error) {
      await this.stop('immediate');
      throw error;
    }
  }

  /**
   * `fast` writes a checkpoint, `immediate` leaves recovery to the next start. Harder means follow
   * when it does not end in time; afterwards nothing of it runs. Does nothing when stopped already.
   */
  async stop(mode: 'fast' | 'immediate'): Promise<void> {
    const pid = this.pid;
    if (pid !== null) {
      const tree = await pidTree(pid);
      signalAll(tree, 'SIGCONT');
      this.#orphans = [...this.#orphans, ...tree];
      const stopped =
        (mode === 'fast' && (await this.#end('SIGINT', fastStopTimeoutMs))) ||
        (await this.#end('SIGQUIT', immediateStopTimeoutMs));
      if (!stopped) {
        this.#orphans = [...this.#orphans, ...(await pidTree(pid))];
        await this.kill();
      }
    }
    await this.#waitForOrphans();
    await releaseSharedMemory(this.dataDirectory, this.account);
  }

  /** kill -9 of the postmaster; its backends end by themselves, a little later. */
  async kill(): Promise<void> {
    const pid = this.pid;
    if (pid === null) return;
    this.#orphans = [...this.#orphans, ...(await pidTree(pid))];
    const ended = await this.#end('SIGKILL', immediateStopTimeoutMs);
    assert(ended, `postmaster ${pid} survived SIGKILL`);
  }

  /** Freezes the postmaster and all its backends: connections stay open and silent. */
  async pause(): Promise<void> {
    const pid = this.pid;
    assert(pid !== null, `${this.name} does not run`);
    signalAll([pid], 'SIGSTOP');
    signalAll(await pidTree(pid), 'SIGSTOP');
  }

  async resume(): Promise<void> {
    const pid = this.pid;
    assert(pid !== null, `${this.name} does not run`);
    signalAll(await pidTree(pid), 'SIGCONT');
  }

  async #spawn(logFile: number): Promise<void> {
    // In a session of its own: Ctrl-C on the terminal is for us, who then stop the servers in order.
    const postmaster = spawn(
      this.#binaries.postgres,
      ['-D', this.dataDirectory, '-p', String(this.#port), '-c', `cluster_name=${this.name}`],
      {
        cwd: '/',
        env: commandEnvironment,
        detached: true,
        stdio: ['ignore', logFile, logFile],
        ...this.account,
      },
    );
    try {
      await once(postmaster, 'spawn');
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new PgError(SqlState.ioError, `could not run ${this.#binaries.postgres}: ${reason}`, {
        cause,
      });
    }
    const { pid } = postmaster;
    assert(pid !== undefined, 'a started program has a pid');
    this.#postmaster = postmaster;
    this.#guard.watch(pid);
    postmaster.once('exit', () => {
      this.#postmaster = null;
      this.#guard.release(pid);
    });
  }

  /** The lock file: pid in line 1, in line 8 the state that pg_ctl waits for as well. */
  async #isReady(): Promise<boolean> {
    const text = await readFile(join(this.dataDirectory, 'postmaster.pid'), 'utf8').catch(() => '');
    const lines = text.split('\n');
    return lines[0] === String(this.pid) && lines[7]?.trim() === 'ready';
  }

  async #startError(logStart: number): Promise<PgError> {
    const log = (await readFile(this.logFile)).subarray(logStart).toString('utf8');
    const lines = log.split('\n').map((line) => line.replace(/^.*\[\d+\] /, ''));
    if (lines.some((line) => /could not bind .*address already in use/i.test(line))) {
      return new PortInUseError(this);
    }
    if (lines.some((line) => /lock file "postmaster.pid" already exists/.test(line))) {
      return new PgError(SqlState.ioError, `${this.name} runs already in ${this.dataDirectory}`, {
        hint: 'another pgweave has started it: stop that one, or choose another directory',
      });
    }
    const reason = lines.find((line) => /^(PANIC|FATAL|ERROR|LOG: {2}could not)/.test(line));
    return new PgError(
      SqlState.ioError,
      `${this.name} did not start: ${reason ?? lines.filter(Boolean).at(-1) ?? 'no reason in its log'}`,
      { hint: `see ${this.logFile}` },
    );
  }

  async #end(signal: NodeJS.Signals, timeoutMs: number): Promise<boolean> {
    this.#postmaster?.kill(signal);
    return waitUntil(() => this.pid === null, { timeoutMs, pollMs: endPollMs });
  }

  async #waitForOrphans(): Promise<void> {
    const pids = this.#orphans;
    const ended = await waitUntil(() => !pids.some(isRunning), {
      timeoutMs: immediateStopTimeoutMs,
      pollMs: endPollMs,
    });
    if (!ended) {
      signalAll(pids, 'SIGKILL');
      await waitUntil(() => !pids.some(isRunning), {
        timeoutMs: immediateStopTimeoutMs,
        pollMs: endPollMs,
      });
    }
    this.#orphans = [];
  }
}
