import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type ClientProgram, clientPrograms, isInstalled } from './client-programs.ts';
import { type ClientsWorld, startClientsWorld } from './clients-world.ts';
import { knownDifferences } from './known-differences.ts';
import { type ClientReport, markdownTable, reportClient, unexplained } from './report.ts';
import { runClient } from './run-client.ts';

const help = `Runs real clients against pgweave and against one PostgreSQL, and compares what they saw.

  --only NAME,NAME   these clients alone
  --required         a client that is not installed is a failure
  --record           write the table into the README
  --stay             then tell how to connect to both sides, and wait for Ctrl-C
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    required: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    stay: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

let world: ClientsWorld | null = null;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void world?.stop().finally(() => process.exit(1)));
}

if (values.help) {
  print(help);
} else {
  world = await startClientsWorld();
  try {
    process.exitCode = await compareClients(world, chosen());
    if (values.stay) await stay(world);
  } finally {
    await world.stop();
  }
}

/** One client after the other, each on both sides at once; the exit code. */
async function compareClients(
  { pgweave, plain }: ClientsWorld,
  programs: readonly ClientProgram[],
): Promise<number> {
  const reports: ClientReport[] = [];
  let missing = 0;
  for (const program of programs) {
    if (!isInstalled(program)) {
      missing += 1;
      print(`${program.name}: not installed, left out (${program.packages})\n`);
      continue;
    }
    const [ours, theirs] = await Promise.all([
      runClient(program, pgweave),
      runClient(program, plain),
    ]);
    const report = reportClient(program.name, ours, theirs);
    reports.push(report);
    print(report.text);
  }
  if (values.record) await record(markdownTable(reports));
  const { surprises, idle } = unexplained(reports, knownDifferences);
  for (const reason of idle) print(`need not be known any more: ${reason}\n`);
  for (const surprise of surprises) print(`not explained: ${surprise}\n`);
  const things = reports.reduce((sum, { verdicts }) => sum + verdicts.size, 0);
  const failed = surprises.length + (values.required ? missing : 0);
  print(`clients: ${things - surprises.length} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

async function record(table: string): Promise<void> {
  const text = await readFile('README.md', 'utf8');
  const block = /(<!-- clients -->\n)[\s\S]*?(\n<!-- \/clients -->)/;
  await writeFile(
    'README.md',
    text.replace(block, (_, before, after) => `${before}\n${table}\n${after}`),
  );
}

/** For a person who looks after a difference: the variables that the programs get. */
async function stay({ pgweave, plain, log }: ClientsWorld): Promise<void> {
  for (const [side, environment] of Object.entries({ pgweave, plain })) {
    const words = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    print(`${side}: env CLIENT=me ${words.join(' ')} psql\n`);
  }
  await once(process, 'SIGUSR1');
  print(log());
}

function chosen(): readonly ClientProgram[] {
  const names = values.only?.split(',');
  if (names === undefined) return clientPrograms;
  const unknown = names.filter((name) => !clientPrograms.some((each) => each.name === name));
  if (unknown.length > 0) throw new Error(`no such client: ${unknown.join(', ')}`);
  return clientPrograms.filter(({ name }) => names.includes(name));
}

function print(text: string): void {
  process.stdout.write(text);
}
