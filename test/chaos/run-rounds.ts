import { seededRandom } from '../support/random.ts';
import { type Round, type RoundOptions, type RoundWorld, runRound } from './chaos-round.ts';
import type { Fault } from './faults.ts';

/** A world that can be led back to where it began, or left. */
export type KeptWorld = RoundWorld & { restore(): Promise<void>; stop(): Promise<void> };

export type FaultRounds = {
  readonly fault: Pick<Fault, 'name' | 'title' | 'failovers'>;
  readonly rounds: readonly Round[];
  /** What ended rounds before they were over, in words. */
  readonly failures: readonly string[];
};

export type RunOptions<World> = {
  readonly faults: readonly Fault<World>[];
  readonly rounds: number;
  readonly seed: number;
  readonly clients: number;
  readonly lists: boolean;
  readonly mayLose: boolean;
  readonly resolves: boolean;
  readonly open: () => Promise<World>;
  /** Nothing is begun any more after it says so. */
  readonly isOver: () => boolean;
  readonly print: (line: string) => void;
};

/** After so many rounds identifiers come again, whose rows are gone by then. */
const numberingMax = 50;
/** A world that fails again and again is no world. */
const failuresMax = 10;

/** All rounds of all faults. One that fails is told of, and the next begins in a new world. */
export async function runAllRounds<World extends KeptWorld>(
  options: RunOptions<World>,
): Promise<readonly FaultRounds[]> {
  const run = new Run(options);
  try {
    const results = [];
    for (const fault of options.faults) results.push(await run.all(fault));
    return results;
  } finally {
    await run.leave();
  }
}

class Run<World extends KeptWorld> {
  readonly #options: RunOptions<World>;
  #world: World | null = null;
  #begun = 0;

  constructor(options: RunOptions<World>) {
    this.#options = options;
  }

  async all(fault: Fault<World>): Promise<FaultRounds> {
    const { seed, rounds: count, isOver, print } = this.#options;
    const random = seededRandom(seed);
    const rounds: Round[] = [];
    const failures: string[] = [];
    for (let number = 1; number <= count && failures.length < failuresMax; number += 1) {
      if (isOver()) break;
      try {
        const round = await this.#one(fault, random);
        rounds.push(round);
        print(`${fault.name} ${number}: ${summary(round)}\n`);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        failures.push(`round ${number}: ${reason.split('\n')[0]}`);
        print(`${fault.name} ${number}: failed; ${reason}\n`);
        await this.leave();
      }
    }
    return { fault, rounds, failures };
  }

  /** Leaves nothing behind; the next round begins in a new world. */
  async leave(): Promise<void> {
    const world = this.#world;
    this.#world = null;
    await world?.stop().catch((error: unknown) => this.#options.print(`not stopped: ${error}\n`));
  }

  async #one(fault: Fault<World>, random: RoundOptions<World>['random']): Promise<Round> {
    const { clients, lists, mayLose, resolves, open } = this.#options;
    if (this.#world === null) this.#world = await open();
    else await this.#world.restore();
    const firstId = 1 + (this.#begun % numberingMax) * (clients + 1) * 100_000;
    this.#begun += 1;
    const options = { fault, clients, random, firstId, mayLose, resolves, lists };
    return await runRound(this.#world, options);
  }
}

function summary({ stallMs, steps, findings }: Round): string {
  return [`stall ${Math.round(stallMs)} ms`, steps.join(' < '), ...findings].join('; ');
}
