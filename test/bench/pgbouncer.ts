import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WireClient } from '../support/wire-client.ts';
import type { Target } from './pgbench.ts';

export type RunningPgbouncer = Target & { stop(): Promise<void> };

/** As root PgBouncer refuses to run. */
const nobody = 65534;

/** Its version, or null where it is not installed. */
export function pgbouncerVersion(): string | null {
  try {
    return execFileSync('pgbouncer', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? null;
  } catch {
    return null;
  }
}

export async function startPgbouncer(options: {
  readonly port: number;
  readonly serverPort: number;
  readonly poolSize: number;
}): Promise<RunningPgbouncer> {
  const { port, serverPort, poolSize } = options;
  const directory = await mkdtemp(join(tmpdir(), 'pgweave-pgbouncer-'));
  await chmod(directory, 0o755);
  const file = join(directory, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]
app = host=127.0.0.1 port=${serverPort} user=app
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 10000
log_connections = 0
log_disconnections = 0
`,
  );
  const asRoot = process.getuid?.() === 0;
  const child = spawn('pgbouncer', ['-q', file], {
    stdio: 'ignore',
    ...(asRoot ? { uid: nobody, gid: nobody } : {}),
  });
  const stop = async () => {
    await end(child);
    await rm(directory, { recursive: true, force: true });
  };
  await waitForAnswer(port);
  return { name: `PgBouncer, pool of ${poolSize}`, port, pid: child.pid ?? null, stop };
}

async function waitForAnswer(port: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const client = await WireClient.connect({
        host: '127.0.0.1',
        port,
        user: 'app',
        database: 'app',
      });
      await client.query('select 1');
      client.close();
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(50);
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
