import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { treeUsage } from './process-tree.ts';

export type QueryMode = 'simple' | 'extended' | 'prepared';

export type Load = {
  readonly mode: QueryMode;
  readonly clients: number;
  readonly seconds: number;
};

export type Measurement = {
  readonly transactionsPerSecond: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  /** CPU time of the proxy's processes per statement, in microseconds; null without a proxy. */
  readonly cpuMicroseconds: number | null;
};

export type Target = {
  readonly name: string;
  readonly port: number;
  /** The proxy's first process, whose CPU time is measured; null for a direct connection. */
  readonly pid: number | null;
};

export const rowCount = 100_000;

const readScript = `\\set id random(1, ${rowCount})
select balance from bench_account where id = :id;
`;

const run = promisify(execFile);

/**
 * Point reads by primary key, or what else `script` says; null when pgbench reports errors (what the
 * target does not support).
 */
export async function measure(
  target: Target,
  load: Load,
  script = readScript,
): Promise<Measurement | null> {
  const directory = await mkdtemp(join(tmpdir(), 'pgweave-bench-'));
  try {
    const file = join(directory, 'script.sql');
    await writeFile(file, script);
    const before = target.pid === null ? null : treeUsage(target.pid).cpuMs;
    const output = await run('pgbench', commandLine(target, load, file, directory)).catch(
      () => null,
    );
    if (output === null) return null;
    const cpuMs =
      target.pid === null || before === null ? null : treeUsage(target.pid).cpuMs - before;
    const processed = Number(/actually processed: (\d+)/.exec(output.stdout)?.[1]);
    const tps = Number(/tps = ([\d.]+)/.exec(output.stdout)?.[1]);
    if (!(processed > 0) || !(tps > 0)) return null;
    const latencies = await readLatencies(directory);
    return {
      transactionsPerSecond: tps,
      medianMs: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      cpuMicroseconds: cpuMs === null ? null : (cpuMs * 1000) / processed,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function commandLine(target: Target, load: Load, file: string, directory: string): string[] {
  return [
    ...['--host', '127.0.0.1', '--port', String(target.port), '--username', 'app'],
    ...['--no-vacuum', '--file', file, '--protocol', load.mode],
    ...['--client', String(load.clients), '--jobs', '1', '--time', String(load.seconds)],
    ...['--log', '--log-prefix', join(directory, 'latency'), '--sampling-rate', '0.25'],
    'app',
  ];
}

/** Milliseconds, ascending. The third column of pgbench's log is microseconds. */
async function readLatencies(directory: string): Promise<Float64Array> {
  const files = (await readdir(directory)).filter((name) => name.startsWith('latency'));
  const texts = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')));
  const values = texts.flatMap((text) =>
    text.split('\n').flatMap((line) => {
      const microseconds = line.split(' ')[2];
      return microseconds === undefined ? [] : [Number(microseconds) / 1000];
    }),
  );
  return Float64Array.from(values).sort();
}

function percentile(sorted: Float64Array, share: number): number {
  const index = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
  return sorted[index] ?? Number.NaN;
}
