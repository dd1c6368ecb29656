import type { Dice } from './dice.ts';
import { type Failure, Failures } from './failures.ts';
import type { Report } from './report.ts';
import type { Rows } from './rows.ts';
import type { Scenario } from './scenario.ts';
import { Scenarios } from './scenarios.ts';
import { compareRead, compareStep, type Sides } from './sides.ts';
import type { Tables } from './table.ts';
import { traps } from './traps.ts';
import type { World } from './world.ts';

const failuresMax = 8;
/** Scenarios made at a time: all that only read run first, in all sessions at once. */
const chunkSize = 200;

export type DifferentialOptions = {
  readonly world: World;
  readonly tables: Tables;
  readonly rows: Rows;
  readonly dice: Dice;
  /** Counts are added to it. */
  readonly report: Report;
};

/** Runs at least so many statements on both sides; stops early after some failures. */
export class Differential {
  readonly #world: World;
  readonly #scenarios: Scenarios;
  readonly #report: Report;
  readonly #failures: Failures;
  readonly #traps: readonly Scenario[];

  constructor({ world, tables, rows, dice, report }: DifferentialOptions) {
    this.#world = world;
    this.#scenarios = new Scenarios(tables, rows, dice, world.sessions.length);
    this.#report = report;
    this.#failures = new Failures(world, tables);
    this.#traps = traps(tables);
  }

  /** What went wrong, described. */
  async run(statements: number): Promise<readonly string[]> {
    let chunk = this.#traps;
    let done = 0;
    const startedAt = performance.now();
    while (done < statements && this.#failures.count < failuresMax) {
      done += chunk.reduce((sum, { steps }) => sum + steps.length, 0);
      if (!(await this.#runChunk(chunk))) break;
      const size = Math.min(chunkSize, statements - done);
      chunk = Array.from({ length: size }, () => this.#scenarios.next());
    }
    this.#report.took((performance.now() - startedAt) / 1000);
    return this.#failures.descriptions;
  }

  /** False when the rows of both sides can no longer be compared. */
  async #runChunk(chunk: readonly Scenario[]): Promise<boolean> {
    const reads = chunk.filter(({ alone }) => !alone);
    const found = await Promise.all(
      this.#world.sessions.map((_, session) =>
        this.#readAll(reads.filter((scenario) => scenario.session === session)),
      ),
    );
    for (const failure of found.flat()) await this.#failures.add(failure);
    for (const scenario of chunk.filter(({ alone }) => alone)) {
      if (this.#failures.count >= failuresMax) break;
      const failure = await this.#play(scenario, compareStep);
      if (failure === null) continue;
      await this.#failures.add(failure);
      if (!failure.goesOn) return false;
      await this.#revive(scenario.session);
    }
    return true;
  }

  /** In order, for what one sets is what the next one sees. */
  async #readAll(scenarios: readonly Scenario[]): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    for (const scenario of scenarios) {
      const failure = await this.#play(scenario, compareRead);
      if (failure === null) continue;
      failures.push(failure);
      if (failures.length >= failuresMax) break;
      await this.#revive(scenario.session);
    }
    return failures;
  }

  async #play(scenario: Scenario, compare: typeof compareStep): Promise<Failure | null> {
    const sides = this.#sides(scenario.session);
    for (const [index, step] of scenario.steps.entries()) {
      const verdict = await compare(step, sides);
      switch (verdict.kind) {
        case 'equal':
          this.#report.answered(scenario, verdict.plain.error !== null);
          break;
        case 'refused': {
          const message = verdict.proxied.error?.message ?? '';
          const failed = verdict.plain !== null && verdict.plain.error !== null;
          this.#report.refused(scenario, message, failed);
          if (index > 0) await rollBack(sides);
          if (scenario.expectation === 'either') return null;
          return { kind: 'refused', scenario, index, message, goesOn: true };
        }
        case 'different': {
          this.#report.answered(scenario, false);
          const goesOn = leavesRows(scenario, index, verdict);
          const isOpen = scenario.steps.length > 1 && index < scenario.steps.length - 1;
          if (isOpen && sides.proxy.alive) await rollBack(sides);
          return { kind: 'different', scenario, index, verdict, goesOn };
        }
      }
    }
    return null;
  }

  async #revive(session: number): Promise<void> {
    if (!this.#sides(session).proxy.alive) await this.#world.reopen(session);
  }

  #sides(session: number): Sides {
    const sides = this.#world.sessions[session];
    if (sides === undefined) throw new Error('a session is missing');
    return sides;
  }
}

/** What neither side did, or both take back, leaves the rows of both as they were. */
function leavesRows(
  { alone, steps }: Scenario,
  index: number,
  { proxied, plain }: Extract<Failure, { kind: 'different' }>['verdict'],
): boolean {
  const bothFailed = proxied.error !== null && plain.error !== null;
  const isSingle = steps.length === 1;
  return !alone || (isSingle ? bothFailed : index < steps.length - 1);
}

async function rollBack(sides: Sides): Promise<void> {
  const text = 'rollback';
  await sides.proxy.request({ protocol: 'simple', text });
  await sides.plain.request({ protocol: 'simple', text });
}
