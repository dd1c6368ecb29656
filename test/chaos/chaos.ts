import { parseArgs } from 'node:util';
import { seededRandom } from '../support/random.ts';
import { type Round, type RoundWorld, runRound } from './chaos-round.ts';
import { chaosTable, stepsTable } from './chaos-table.ts';
import { ChaosWorld } from './chaos-world.ts';
import { type Fault, faults } from './faults.ts';
import { PatroniWorld, patroniFaults } from './patroni/patroni-world.ts';

const help = `Faults on real servers under a write load; prints what clients saw.

  --fault F1,F2    which ones (default: all); --fault list names them
  --rounds N       of each (default 3)
  --seed N         of everything that is left to chance (default 7)
  --clients N      that write (default 16)
  --standbys N     of the primary (default 1)
  --mode NAME      sync, strict or async (default sync)
  --direct         no relays on the links, for figures: faults of processes only
  --lists          two clients more whose serializable transactions must have had one order
  --failover YAML  more options of the section failover, e.g. 'resolve_writes: true'
  --patroni        the same load on Patroni, etcd and HAProxy instead, faults F1, F2, F2A, F23
                   (apt-get install patroni python3-etcd etcd-server haproxy postgresql)
`;

const { values } = parseArgs({
  options: {
    fault: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '7' },
    clients: { type: 'string', default: '16' },
    standbys: { type: 'string', default: '1' },
    mode: { type: 'string', default: 'sync' },
    failover: { type: 'string', default: '' },
    direct: { type: 'boolean', default: false },
    lists: { type: 'boolean', default: false },
    patroni: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** Rows of earlier rounds stay: every round has its own. */
let nextId = 1;

if (values.help) print(help);
else if (values.fault === 'list')
  print(faults.map(({ name, title }) => `${name}\t${title}\n`).join(''));
else if (values.patroni) process.exitCode = await compare();
else process.exitCode = await main();

async function main(): Promise<number> {
  const chosen = chosenOf(faults);
  const mode = (['sync', 'strict', 'async'] as const).find((name) => name === values.mode);
  if (chosen.length === 0 || mode === undefined) {
    print(help);
    return 2;
  }
  const world = await ChaosWorld.start({
    standbys: Number(values.standbys),
    durability: mode,
    failover: values.failover,
    direct: values.direct,
  });
  try {
    return await runAll(world, chosen, `${values.standbys} standbys, ${mode} ${values.failover}`);
  } finally {
    await world.stop();
  }
}

async function compare(): Promise<number> {
  const world = await PatroniWorld.start();
  try {
    return await runAll(world, chosenOf(patroniFaults), 'Patroni with one synchronous standby');
  } finally {
    await world.stop();
  }
}

function chosenOf<World>(all: readonly Fault<World>[]): readonly Fault<World>[] {
  const wanted = values.fault === '' ? null : values.fault.split(',');
  return all.filter(({ name }) => wanted === null || wanted.includes(name));
}

async function runAll<World extends RoundWorld & { restore(): Promise<void> }>(
  world: World,
  chosen: readonly Fault<World>[],
  about: string,
): Promise<number> {
  const results = [];
  for (const fault of chosen) results.push({ fault, rounds: await runRounds(world, fault) });
  print(`\nseed ${values.seed}, ${values.clients} clients, ${about}\n\n`);
  print(`${chaosTable(results)}\n\n${stepsTable(results)}\n`);
  const broken = results.some(({ rounds }) => rounds.some(({ findings }) => findings.length > 0));
  return broken ? 1 : 0;
}

async function runRounds<World extends RoundWorld & { restore(): Promise<void> }>(
  world: World,
  fault: Fault<World>,
): Promise<readonly Round[]> {
  const random = seededRandom(Number(values.seed));
  const rounds: Round[] = [];
  for (let number = 1; number <= Number(values.rounds); number += 1) {
    await world.restore();
    const clients = Number(values.clients);
    const mayLose = values.mode === 'async';
    const { lists } = values;
    const options = { fault, clients, random, firstId: nextId, mayLose, lists };
    const round = await runRound(world, options);
    nextId += (clients + 1) * 100_000;
    rounds.push(round);
    const { stallMs, steps, findings } = round;
    const text = [`stall ${Math.round(stallMs)} ms`, steps.join(' < '), ...findings].join('; ');
    print(`${fault.name} ${number}: ${text}\n`);
  }
  return rounds;
}

function print(text: string): void {
  process.stdout.write(text);
}
