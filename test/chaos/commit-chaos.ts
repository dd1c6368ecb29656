import { parseArgs } from 'node:util';
import { seededRandom } from '../support/random.ts';
import {
  type Case,
  type CommitRound,
  moments,
  runCommitRound,
  steps,
  victims,
} from './commit-round.ts';
import { CommitWorld } from './commit-world.ts';

const help = `Somebody dies at every step of commits over two shards; prints what came of it.

  --victim a,b     who: ${victims.join(', ')} (default: all of them)
  --step a,b       where: ${steps.join(', ')} (default: all)
  --rounds N       of all cases (default 1)
  --seed N         of everything that is left to chance (default 7)
`;

const { values } = parseArgs({
  options: {
    victim: { type: 'string', default: victims.join(',') },
    step: { type: 'string', default: steps.join(',') },
    rounds: { type: 'string', default: '1' },
    seed: { type: 'string', default: '7' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) print(help);
else process.exitCode = await main();

async function main(): Promise<number> {
  const random = seededRandom(Number(values.seed));
  const victimsWanted = values.victim.split(',');
  const stepsWanted = values.step.split(',');
  const cases = allCases().filter(
    ({ victim, step }) => victimsWanted.includes(victim) && stepsWanted.includes(step),
  );
  const world = await CommitWorld.start();
  const lines: string[] = [];
  let committed = 0;
  let broken = 0;
  let firstId = 1_000;
  try {
    for (let round = 1; round <= Number(values.rounds); round += 1) {
      for (const what of cases) {
        const result = await runCommitRound(world, what, { random, firstId });
        firstId += 100_000;
        committed += result.committed;
        if (result.findings.length > 0) broken += 1;
        lines.push(line(round, what, result));
        print(`${lines.at(-1)}\n`);
      }
    }
  } finally {
    await world.stop();
  }
  print(`\n${lines.length} rounds, ${committed} commits, ${broken} rounds with broken promises\n`);
  return broken > 0 ? 1 : 0;
}

function allCases(): readonly Case[] {
  return victims.flatMap((victim) =>
    steps.flatMap((step) => moments.map((moment) => ({ step, moment, victim }))),
  );
}

function line(round: number, { step, moment, victim }: Case, result: CommitRound): string {
  const { committed, errors, endedMs, findings } = result;
  const codes = [...errors].map(([code, count]) => `${code}: ${count}`).join(', ');
  const end = `${committed} commits; ${codes}; ended in ${Math.round(endedMs)} ms`;
  return `${round} ${step} ${moment}, ${victim}: ${[end, ...findings].join('; ')}`;
}

function print(text: string): void {
  process.stdout.write(text);
}
