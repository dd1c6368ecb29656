import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { NodeId } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { createLog, type Log } from '../observability/log.ts';
import { forkedWorkers } from '../supervisor/forked-worker.ts';
import { inProcessWorker } from '../supervisor/in-process-worker.ts';
import type { LoadedConfiguration } from '../supervisor/loaded-configuration.ts';
import { Supervisor } from '../supervisor/supervisor.ts';
import { mistakesText } from './check.ts';
import { readMockSecret } from './mock-secret.ts';
import { UsersFile } from './read-users-file.ts';
import { startCluster } from './start-cluster.ts';
import { packageVersion } from './version.ts';
import { workerStarter } from './worker.ts';

/** Reads and checks the file. Rejects with PgError F0000 whose message is all the mistakes. */
export async function readConfiguration(
  path: string,
  mapVersion = 1,
): Promise<LoadedConfiguration> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PgError(SqlState.configFileError, `cannot read ${path}: ${reason}`, { cause });
  }
  const loaded = loadConfig(text, { path, environment: process.env, mapVersion });
  if (loaded.kind === 'loaded') return { text, config: loaded.config };
  throw new PgError(SqlState.configFileError, `the configuration ${path} has mistakes`, {
    detail: mistakesText(loaded.mistakes, path),
  });
}

export type RunningSupervisor = { readonly supervisor: Supervisor; readonly log: Log };

/** Starts everything that `serve` and `demo` have in common; clients can connect afterwards. */
export async function runSupervisor(
  path: string,
  configuration: LoadedConfiguration,
  options: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly pidOf?: (node: NodeId) => number | null;
    readonly allowStranded?: boolean;
  },
): Promise<RunningSupervisor> {
  const { clock, signal, pidOf = () => null, allowStranded = false } = options;
  const { config } = configuration;
  const log = createLog({
    level: config.log.level,
    readable: process.stderr.isTTY === true,
    source: 'supervisor',
  });
  const telemetry: Telemetry = {
    log: (level, message, fields) => log.write(level, message, fields),
    statement() {},
    shardLatency() {},
    gathered() {},
    loginFailed() {},
    errorSent() {},
  };
  if (config.workers > 0) keepYoungHeapSmall();
  const mockSecret = await readMockSecret(config.failover.stateDirectory);
  const usersFile = new UsersFile(Buffer.from(mockSecret, 'hex'));
  const entry = fileURLToPath(new URL('./worker-main.js', import.meta.url));
  const supervisor = new Supervisor({
    clock,
    telemetry,
    setLogLevel: (level) => log.setLevel(level),
    version: packageVersion(),
    configPath: path,
    configuration,
    mockSecret,
    readUsersFile: (current) => usersFile.read(current),
    readConfiguration: (mapVersion) => readConfiguration(path, mapVersion),
    startCluster: (events) =>
      startCluster(config, { clock, telemetry, pidOf, allowStranded }, events),
    openWorker:
      config.workers === 0
        ? inProcessWorker(workerStarter(clock), { clock })
        : forkedWorkers(entry, { clock }),
  });
  const stop = () => void supervisor.stop();
  signal.addEventListener('abort', stop, { once: true });
  await supervisor.start();
  signal.removeEventListener('abort', stop);
  return { supervisor, log };
}

/**
 * Every client that is passed on to a worker leaves some garbage here. V8 would let the space for it
 * grow to 48 MB before it cleans up; a process that carries no traffic can clean up earlier.
 */
function keepYoungHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
