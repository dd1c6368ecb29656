import { parseArgs } from 'node:util';
import { type Random, seededRandom } from '../support/random.ts';
import { type Case, moments, runCommitRound, steps, victims } from './commit-round.ts';
import { type CaseRound, commitTable, isWell } from './commit-table.ts';
import { CommitWorld } from './commit-world.ts';

const help = `Somebody dies at every step of commits over two shards; prints what came of it. A round that fails
is told of, and the next begins anew; SIGTERM ends it after the round at hand, with the table of those before.

  --victim a,b     who: ${victims.join(', ')} (default: all of them)
  --step a,b       where: ${steps.join(', ')} (default: all)
  --rounds N       of all cases, ${victims.length * steps.length * moments.length} without the options above (default 1)
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

/** A world that fails again and again is no world. */
const failuresMax = 10;

let isOver = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    isOver = true;
  });
}

if (values.help) print(help);
else process.exitCode = await main();

async function main(): Promise<number> {
  const victimsWanted = values.victim.split(',');
  const stepsWanted = values.step.split(',');
  const cases = allCases().filter(
    ({ victim, step }) => victimsWanted.includes(victim) && stepsWanted.includes(step),
  );
  if (cases.length === 0) {
    print(help);
    return 2;
  }
  const rounds = await runAll(Array.from({ length: Number(values.rounds) }, () => cases).flat());
  print(`\nseed ${values.seed}\n\n${commitTable(rounds)}\n`);
  return isWell(rounds) ? 0 : 1;
}

async function runAll(cases: readonly Case[]): Promise<readonly CaseRound[]> {
  const random = seededRandom(Number(values.seed));
  const rounds: CaseRound[] = [];
  let world: CommitWorld | null = null;
  let firstId = 1_000;
  let failures = 0;
  for (const [index, what] of cases.entries()) {
    if (isOver || failures >= failuresMax) break;
    const one = await attempt(world, what, { random, firstId });
    firstId += 100_000;
    rounds.push(one.result);
    print(`${index + 1}/${cases.length} ${lineOf(one.result)}\n`);
    world = one.world;
    if (world === null) failures += 1;
  }
  await world?.stop();
  return rounds;
}

/** A world that a round has failed in is left: null. */
async function attempt(
  kept: CommitWorld | null,
  what: Case,
  options: { readonly random: Random; readonly firstId: number },
): Promise<{ readonly world: CommitWorld | null; readonly result: CaseRound }> {
  const world = kept ?? (await CommitWorld.start());
  try {
    const round = await runCommitRound(world, what, options);
    return { world, result: { kind: 'done', what, round } };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    print(`${reason}\n`);
    await world.stop().catch((failure: unknown) => print(`not stopped: ${failure}\n`));
    const [first = ''] = reason.split('\n');
    return { world: null, result: { kind: 'failed', what, reason: first } };
  }
}

function allCases(): readonly Case[] {
  return victims.flatMap((victim) =>
    steps.flatMap((step) => moments.map((moment) => ({ step, moment, victim }))),
  );
}

function lineOf(one: CaseRound): string {
  const { step, moment, victim } = one.what;
  const about = `${step} ${moment}, ${victim}`;
  if (one.kind === 'failed') return `${about}: failed; ${one.reason}`;
  const { committed, errors, endedMs, findings } = one.round;
  const codes = [...errors].map(([code, count]) => `${code}: ${count}`).join(', ');
  const end = `${committed} commits; ${codes}; ended in ${Math.round(endedMs)} ms`;
  return `${about}: ${[end, ...findings].join('; ')}`;
}

function print(text: string): void {
  process.stdout.write(text);
}
