import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { findFreePorts } from '../../src/lab/free-port.ts';
import { startServers, startSharded, startUnsharded } from './bench-cluster.ts';
import { compareCommits } from './commits.ts';
import { compareCopies } from './copies.ts';
import { idleClientBytes } from './idle-clients.ts';
import { type Load, measure, type QueryMode, type Target } from './pgbench.ts';
import { pgbouncerVersion, startPgbouncer } from './pgbouncer.ts';
import { compareReports } from './reports.ts';
import { ResultsTable } from './results-table.ts';
import { compareWrites } from './writes.ts';

const help = `Point reads through a direct connection, PgBouncer and pgweave, compared.

  --rounds N    each load runs N times on each target, in turn (default 3)
  --seconds N   per run (default 5)
  --clients N,N how many connections (default 1,16,64)
  --quick       one short round of fewer loads: shows that the benchmark works
  --reports     instead: reports over 5,000,000 rows, against the shards themselves and one server
  --rows N      of the reports (default 5000000), or of the copies
  --copy        instead: COPY of rows into four shards, against one server; --rows 500000, say
  --commits     instead: transactions on one shard against those on two; 1000 rounds unless told
  --writes      instead: writes outside of transactions with resolve_writes off and on; --rounds, --seconds
  --idle        instead: memory of the proxy per idle client, over 5,000 of them
`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '1,16,64' },
    quick: { type: 'boolean', default: false },
    copy: { type: 'boolean', default: false },
    commits: { type: 'boolean', default: false },
    writes: { type: 'boolean', default: false },
    idle: { type: 'boolean', default: false },
    reports: { type: 'boolean', default: false },
    rows: { type: 'string', default: '5000000' },
    help: { type: 'boolean', default: false },
  },
});

const warmUp: Load = { mode: 'extended', clients: 16, seconds: values.quick ? 1 : 5 };

const undo: (() => unknown)[] = [];

if (values.help) {
  print(help);
} else {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop(1));
  await main().then(
    () => stop(0),
    (error) => {
      print(`${error instanceof Error ? error.stack : error}\n`);
      return stop(1);
    },
  );
}

async function main(): Promise<void> {
  if (values.reports) {
    const table = await compareReports(Number(values.rows), roundsOr(3), undo);
    print(`${availableParallelism()} cores, Node ${process.version}\n\n${table}\n`);
    return;
  }
  if (values.copy) {
    const text = await compareCopies(Number(values.rows), roundsOr(3), undo);
    print(`${availableParallelism()} cores, Node ${process.version}\n\n${text}\n`);
    return;
  }
  if (values.commits) {
    const table = await compareCommits(roundsOr(1000), undo);
    print(`${availableParallelism()} cores, Node ${process.version}\n\n${table}\n`);
    return;
  }
  if (values.writes) {
    const table = await compareWrites(roundsOr(3), Number(values.seconds), undo);
    print(`${availableParallelism()} cores, Node ${process.version}\n\n${table}\n`);
    return;
  }
  const cluster = await startServers();
  undo.push(() => cluster.stop());
  const sharded = await startSharded(cluster);
  undo.push(() => sharded.stop());
  if (values.idle) {
    const bytes = await idleClientBytes(sharded, 5000);
    print(`5,000 idle clients: ${(bytes / 1024).toFixed(1)} KB of proxy memory each\n`);
    return;
  }
  const unsharded = await startUnsharded(cluster);
  undo.push(() => unsharded.stop());
  const serverPort = cluster.shard('whole').primary.port;
  const targets: Target[] = [
    { name: 'direct connection', port: serverPort, pid: null },
    ...(await startPgbouncers(serverPort)),
    { name: 'pgweave, one unsharded server', port: unsharded.port, pid: unsharded.pid },
    { name: 'pgweave, four shards', port: sharded.port, pid: sharded.pid },
  ];
  print(`${await compare(targets)}\n`);
}

async function startPgbouncers(serverPort: number): Promise<Target[]> {
  const version = pgbouncerVersion();
  if (version === null) {
    print('PgBouncer is not installed and left out.\n');
    return [];
  }
  print(`${version}\n`);
  const targets: Target[] = [];
  for (const poolSize of values.quick ? [10] : [4, 10, 20]) {
    const [port = 0] = await findFreePorts(1);
    const pgbouncer = await startPgbouncer({ port, serverPort, poolSize });
    undo.push(() => pgbouncer.stop());
    targets.push(pgbouncer);
  }
  return targets;
}

/** Interleaved: what else the machine does hits all targets alike. */
async function compare(targets: readonly Target[]): Promise<string> {
  const table = new ResultsTable();
  const rounds = values.quick ? 1 : roundsOr(3);
  // Not measured: what compiles itself while it runs, servers with cold caches.
  for (const target of targets) await measure(target, warmUp);
  for (let round = 1; round <= rounds; round++) {
    for (const load of loads()) {
      for (const target of targets) table.add(load, target.name, await measure(target, load));
    }
    print(`round ${round} of ${rounds}\n`);
  }
  const server = execFileSync('pgbench', ['--version'], { encoding: 'utf8' }).trim();
  return `${availableParallelism()} cores, Node ${process.version}, ${server}\n\n${table.toMarkdown()}`;
}

function loads(): readonly Load[] {
  const modes: readonly QueryMode[] = ['simple', 'extended', 'prepared'];
  const seconds = values.quick ? 1 : Number(values.seconds);
  const clients = values.quick ? [1, 64] : values.clients.split(',').map(Number);
  return modes.flatMap((mode) => clients.map((count) => ({ mode, clients: count, seconds })));
}

async function stop(exitCode: number): Promise<void> {
  for (const step of undo.splice(0).reverse()) await step();
  process.exit(exitCode);
}

function print(text: string): void {
  process.stdout.write(text);
}

function roundsOr(usual: number): number {
  return Number(values.rounds ?? usual);
}
