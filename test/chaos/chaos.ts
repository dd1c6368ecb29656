import { parseArgs } from 'node:util';
import { seededRandom } from '../support/random.ts';
import { type Round, runRound } from './chaos-round.ts';
import { chaosTable } from './chaos-table.ts';
import { ChaosWorld } from './chaos-world.ts';
import { type Fault, faults } from './faults.ts';

const help = `Faults on real servers under a write load; prints what clients saw.

  --fault F1,F2    which ones (default: all); --fault list names them
  --rounds N       of each (default 3)
  --seed N         of everything that is left to chance (default 7)
  --clients N      that write (default 16)
  --standbys N     of the primary (default 1)
  --mode NAME      sync, strict or async (default sync)
`;

const { values } = parseArgs({
  options: {
    fault: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '7' },
    clients: { type: 'string', default: '16' },
    standbys: { type: 'string', default: '1' },
    mode: { type: 'string', default: 'sync' },
    help: { type: 'boolean', default: false },
  },
});

/** Rows of earlier rounds stay: every round has its own. */
let nextId = 1;

if (values.help) print(help);
else if (values.fault === 'list')
  print(faults.map(({ name, title }) => `${name}\t${title}\n`).join(''));
else process.exitCode = await main();

async function main(): Promise<number> {
  const wanted = values.fault === '' ? null : values.fault.split(',');
  const chosen = faults.filter(({ name }) => wanted === null || wanted.includes(name));
  const mode = (['sync', 'strict', 'async'] as const).find((name) => name === values.mode);
  if (chosen.length === 0 || mode === undefined) {
    print(help);
    return 2;
  }
  const world = await ChaosWorld.start({ standbys: Number(values.standbys), durability: mode });
  try {
    const results = [];
    for (const fault of chosen) results.push({ fault, rounds: await runRounds(world, fault) });
    const about = `seed ${values.seed}, ${values.clients} clients, ${values.standbys} standbys, ${mode}`;
    print(`\n${about}\n\n${chaosTable(results)}\n`);
    const broken = results.some(({ rounds }) => rounds.some(({ findings }) => findings.length > 0));
    return broken ? 1 : 0;
  } finally {
    await world.stop();
  }
}

async function runRounds(world: ChaosWorld, fault: Fault): Promise<readonly Round[]> {
  const random = seededRandom(Number(values.seed));
  const rounds: Round[] = [];
  for (let number = 1; number <= Number(values.rounds); number += 1) {
    await world.restore();
    const clients = Number(values.clients);
    const mayLose = values.mode === 'async';
    const round = await runRound(world, { fault, clients, random, firstId: nextId, mayLose });
    nextId += clients * 100_000;
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
