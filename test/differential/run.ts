import { rowText } from './compare.ts';
import type { Dice } from './dice.ts';
import { inline } from './fragment.ts';
import { render } from './query.ts';
import { Report } from './report.ts';
import type { Rows } from './rows.ts';
import type { Scenario, Step } from './scenario.ts';
import { Scenarios } from './scenarios.ts';
import { shrinkRows, shrinkStep } from './shrink.ts';
import { compareStep, type Sides, type Verdict } from './sides.ts';
import type { Tables } from './table.ts';
import { traps } from './traps.ts';
import type { World } from './world.ts';

export type Outcome = { readonly report: Report; readonly failures: readonly string[] };

const failuresMax = 8;
const rowsShownMax = 5;
/** Shrinking rows runs the statement many times. */
const rowShrinksMax = 2;

/** Runs at least so many statements on both sides; stops early after some failures. */
export class Differential {
  readonly #world: World;
  readonly #tables: Tables;
  readonly #scenarios: Scenarios;
  readonly #report = new Report();
  /** By construct and kind of difference: one example of each. */
  readonly #failures = new Map<string, string>();

  constructor(world: World, tables: Tables, rows: Rows, dice: Dice) {
    this.#world = world;
    this.#tables = tables;
    this.#scenarios = new Scenarios(tables, rows, dice);
  }

  async run(statements: number): Promise<Outcome> {
    const first = [...traps(this.#tables)];
    let done = 0;
    while (done < statements && this.#failures.size < failuresMax) {
      const scenario = first.shift() ?? this.#scenarios.next();
      const sides = this.#world.sessions[scenario.session];
      if (sides === undefined) throw new Error('a session is missing');
      const goesOn = await this.#play(scenario, sides);
      if (!sides.proxy.alive) await this.#world.reopen(scenario.session);
      done += scenario.steps.length;
      if (!goesOn) break;
    }
    return { report: this.#report, failures: [...this.#failures.values()] };
  }

  /** False when the rows of both sides can no longer be compared. */
  async #play(scenario: Scenario, sides: Sides): Promise<boolean> {
    for (const [index, step] of scenario.steps.entries()) {
      const verdict = await compareStep(step, sides);
      switch (verdict.kind) {
        case 'equal':
          this.#report.answered(scenario);
          break;
        case 'refused': {
          const message = verdict.proxied.error?.message ?? '';
          this.#report.refused(scenario, message);
          if (scenario.expectation === 'answered') {
            this.#fail(scenario, `refused: ${message}`, sqlOf(scenario.steps.slice(0, index + 1)));
          }
          if (index > 0) await this.#rollBack(sides);
          return true;
        }
        case 'different':
          this.#report.answered(scenario);
          return this.#explain(scenario, index, verdict, sides);
      }
    }
    return true;
  }

  async #explain(
    scenario: Scenario,
    index: number,
    verdict: Verdict & { readonly kind: 'different' },
    sides: Sides,
  ): Promise<boolean> {
    const reads = !/\b(insert|update|delete|begin|start)\b/i.test(sqlOf(scenario.steps));
    const isSingle = scenario.steps.length === 1;
    const bothFailed = verdict.proxied.error !== null && verdict.plain.error !== null;
    // What neither side did, or both take back, leaves the rows of both as they were.
    const isOpen = !isSingle && index < scenario.steps.length - 1;
    const goesOn = reads || isOpen || (isSingle && bothFailed);
    const step = scenario.steps[index];
    if (!reads || !isSingle || step === undefined) {
      const played = sqlOf(scenario.steps.slice(0, index + 1));
      this.#fail(scenario, verdict.what, [played, answersOf(verdict)].join('\n'));
      if (isOpen && sides.proxy.alive) await this.#rollBack(sides);
      return goesOn;
    }
    if (this.#failures.has(failureName(scenario, verdict.what))) return true;
    if (!sides.proxy.alive) {
      this.#fail(scenario, verdict.what, [sqlOf([step]), JSON.stringify(step.mode)].join('\n'));
      return true;
    }
    const smallest = await shrinkStep(step, sides);
    const needed =
      this.#failures.size < rowShrinksMax ? await this.#neededRows(smallest, sides) : '';
    const again = await compareStep(smallest, sides);
    const shown = again.kind === 'different' ? again : verdict;
    this.#fail(
      scenario,
      verdict.what,
      [
        sqlOf([step]),
        `shrunk: ${sqlOf([smallest])}`,
        `mode: ${JSON.stringify(smallest.mode)}`,
        shown.what,
        answersOf(shown),
        needed,
      ].join('\n'),
    );
    return true;
  }

  async #neededRows(step: Step, sides: Sides): Promise<string> {
    const text = sqlOf([step]);
    const named = Object.values(this.#tables)
      .map((table) => table.name)
      .filter((name) => new RegExp(`\\b${name}\\b`).test(text));
    const holders = [this.#world.plain, ...this.#world.shards];
    const needed = await shrinkRows(step, named, sides, holders);
    return [...needed]
      .flatMap(([table, rows]) => rows.map((row) => `${table}: ${JSON.stringify(row)}`))
      .join('\n');
  }

  #fail(scenario: Scenario, what: string, details: string): void {
    const name = failureName(scenario, what);
    if (this.#failures.has(name)) return;
    this.#failures.set(name, `${scenario.construct}: ${what}\n${details}`);
  }

  async #rollBack(sides: Sides): Promise<void> {
    const text = 'rollback';
    await sides.proxy.request({ protocol: 'simple', text });
    await sides.plain.request({ protocol: 'simple', text });
  }
}

/** Without the values, which differ from one example of a kind to the next. */
function failureName(scenario: Scenario, what: string): string {
  return `${scenario.construct} ${what.replaceAll(/\(.*|"[^"]*"|\d+/g, '').slice(0, 60)}`;
}

function sqlOf(steps: readonly Step[]): string {
  return steps.map(({ query }) => `${inline(render(query))};`).join('\n');
}

function answersOf({ proxied, plain }: Verdict & { readonly kind: 'different' }): string {
  const show = (answer: typeof plain) => {
    const error = answer.error;
    if (error !== null) return `  ${error.sqlState} ${error.message}`;
    const rows = answer.results.flatMap((result) => result.rows);
    const shown = rows.slice(0, rowsShownMax).map((row) => `  ${rowText(row)}`);
    return [...shown, `  ${rows.length} rows, status ${answer.status}`].join('\n');
  };
  return `pgweave:\n${show(proxied)}\nPostgreSQL:\n${show(plain)}`;
}
