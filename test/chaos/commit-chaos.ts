import { parseArgs } from 'node:util';
import { systemClock } from '../../src/base/clock.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { type Case, moments, runCommitRound, steps, victims } from './commit-round.ts';
import { type CaseRound, commitTable, isWell } from './commit-table.ts';
import { CommitWorld } from './commit-world.ts';

const help = `Somebody dies at every step of commits over two shards; prints what came of it. A round that fails
is told of, and the next begins anew; SIGTERM ends it after the round at hand, with the table of those before.

  --victim a,b     who: ${victims.join(', ')} (default: all of them)
  --step a,b       where: ${steps.join(', ')} (default: all)
  --rounds N       of all cases, ${victims.length * steps.length * moments.length} without the options above (default 1)
  --worlds N       that take the rounds in turn, at the same time (default 1)
  --seed N         of everything that is left to chance (default 7)
`;

const { values } = parseArgs({
  options: {
    victim: { type: 'string', default: victims.join(',') },
    step: { type: 'string', default: steps.join(',') },
    rounds: { type: 'string', default: '1' },
    worlds: { type: 'string', default: '1' },
    seed: { type: 'string', default: '7' },
    help: { type: 'boolean', default: false },
  },
});

/** Worlds that fail again and again are no worlds. */
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
  const startedAt = systemClock.now();
  const rounds = await runAll(Array.from({ length: Number(values.rounds) }, () => cases).flat());
  const took = Math.round((systemClock.now() - startedAt) / 1000);
  print(`\nseed ${values.seed}, ${values.worlds} at a time, ${took} s\n\n${commitTable(rounds)}\n`);
  return isWell(rounds) ? 0 : 1;
}

/** Each world takes what is left of the cases, and has dice of its own. */
async function runAll(cases: readonly Case[]): Promise<readonly CaseRound[]> {
  const left = cases.entries();
  const rounds: CaseRound[] = [];
  const isBroken = () => rounds.filter(({ kind }) => kind === 'failed').length >= failuresMax;
  const inOneWorld = async (number: number) => {
    const random = seededRandom(Number(values.seed) + number);
    let world: CommitWorld | null = null;
    for (const [index, what] of left) {
      if (isOver || isBroken()) break;
      const one = await attempt(world, what, { random, firstId: 1_000 + index * 100_000 });
      rounds.push(one.result);
      print(`${index + 1}/${cases.length} ${lineOf(one.result)}\n`);
      world = one.world;
    }
    await world?.stop();
  };
  await Promise.all(
    Array.from({ length: Number(values.worlds) }, (_, number) => inOneWorld(number)),
  );
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
