import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WireClient } from './wire-client.ts';

export type RunningPgweave = {
  readonly host: string;
  readonly port: number;
  /** The supervisor. */
  readonly pid: number;
  /** What it wrote to stderr so far. */
  readonly log: () => string;
  /** SIGTERM, and SIGKILL when that does not end it within 10 s. */
  stop(): Promise<void>;
};

export type Login = { readonly user: string; readonly database: string };

const startTimeoutMs = 20_000;
const stopTimeoutMs = 10_000;

/** The built command line's `serve` (of the working directory, the checkout) on the given configuration, ready for clients. */
export async function startPgweave(
  configText: string,
  port: number,
  login: Login,
): Promise<RunningPgweave> {
  const main = resolve('dist/cli/main.js');
  if (!existsSync(main)) throw new Error(`${main} is missing: npm run build`);
  const directory = await mkdtemp(join(tmpdir(), 'pgweave-test-'));
  const file = join(directory, 'pgweave.yaml');
  await writeFile(file, configText);
  const child = spawn(process.execPath, [main, 'serve', '--config', file], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stdout.on('data', (chunk) => {
    log += chunk;
  });
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const stop = async () => {
    await end(child);
    await rm(directory, { recursive: true, force: true });
  };
  const host = '127.0.0.1';
  try {
    await waitForAnswer({ host, port, ...login }, child, () => log);
  } catch (error) {
    await stop();
    throw error;
  }
  return { host, port, pid: child.pid ?? 0, log: () => log, stop };
}

async function waitForAnswer(
  target: Login & { readonly host: string; readonly port: number },
  child: ChildProcess,
  log: () => string,
): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`pgweave ended: ${log()}`);
    try {
      const client = await WireClient.connect(target);
      await client.query('select 1');
      client.close();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`no answer: ${log()}`, { cause: error });
      await sleep(50);
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await ended;
  clearTimeout(killer);
}
