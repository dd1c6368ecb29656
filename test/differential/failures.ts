import { rowText } from './compare.ts';
import { inline } from './fragment.ts';
import { render } from './query.ts';
import type { Scenario, Step } from './scenario.ts';
import { shrinkRows, shrinkStep } from './shrink.ts';
import { compareStep, type Sides, type Verdict } from './sides.ts';
import type { Tables } from './table.ts';
import type { World } from './world.ts';

type Different = Verdict & { readonly kind: 'different' };

/** At the step with that index. */
export type Failure = {
  readonly scenario: Scenario;
  readonly index: number;
  /** The rows of both sides can still be compared. */
  readonly goesOn: boolean;
} & (
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'different'; readonly verdict: Different }
);

const rowsShownMax = 5;
const neededRowsMax = 12;
/** Shrinking rows runs the statement many times. */
const rowShrinksMax = 2;

/** One example of each kind of failure, with the clauses and rows that it needs. */
export class Failures {
  readonly #world: World;
  readonly #tables: Tables;
  readonly #found = new Map<string, string>();

  constructor(world: World, tables: Tables) {
    this.#world = world;
    this.#tables = tables;
  }

  get count(): number {
    return this.#found.size;
  }

  get descriptions(): readonly string[] {
    return [...this.#found.values()];
  }

  /** While nothing else runs. */
  async add(failure: Failure): Promise<void> {
    const what = failure.kind === 'refused' ? `refused: ${failure.message}` : failure.verdict.what;
    const name = failureName(failure, what);
    if (this.#found.has(name)) return;
    const details = await this.#details(failure);
    this.#found.set(name, `${failure.scenario.construct}: ${what}\n${details}`);
  }

  async #details(failure: Failure): Promise<string> {
    const { scenario, index } = failure;
    const played = sqlOf(scenario.steps.slice(0, index + 1));
    if (failure.kind === 'refused') return played;
    const { verdict } = failure;
    const step = scenario.steps[index];
    const isWrite = /\b(insert|update|delete)\b/i.test(played);
    const asPlayed = [played, JSON.stringify(step?.mode), answersOf(verdict)].join('\n');
    if (isWrite || scenario.steps.length > 1 || step === undefined) return asPlayed;
    // Nothing came in time: each attempt to shrink it would take as long.
    if (verdict.proxied.status === 'X') return asPlayed;
    const sides = await this.#session(scenario.session);
    const again = await compareStep(step, sides);
    if (again.kind !== 'different') return `${asPlayed}\nnot different a second time`;
    if (!sides.proxy.alive) return asPlayed;
    return [sqlOf([step]), await this.#shrunk(step, sides, verdict)].join('\n');
  }

  async #shrunk(step: Step, sides: Sides, verdict: Different): Promise<string> {
    const smallest = await shrinkStep(step, sides);
    const needed = this.#found.size < rowShrinksMax ? await this.#neededRows(smallest, sides) : '';
    const again = await compareStep(smallest, sides);
    const shown = again.kind === 'different' ? again : verdict;
    return [
      `shrunk: ${sqlOf([smallest])}`,
      `mode: ${JSON.stringify(smallest.mode)}`,
      shown.what,
      answersOf(shown),
      needed,
    ].join('\n');
  }

  async #neededRows(step: Step, sides: Sides): Promise<string> {
    const text = sqlOf([step]);
    const named = Object.values(this.#tables)
      .map((table) => table.name)
      .filter((name) => new RegExp(`\\b${name}\\b`).test(text));
    const holders = [this.#world.plain, ...this.#world.shards];
    const needed = await shrinkRows(step, named, sides, holders);
    const lines = [...needed].flatMap(([table, rows]) =>
      rows.map((row) => `${table}: ${JSON.stringify(row)}`),
    );
    const more = lines.length - neededRowsMax;
    return [...lines.slice(0, neededRowsMax), ...(more > 0 ? [`and ${more} rows`] : [])].join('\n');
  }

  async #session(session: number): Promise<Sides> {
    if (this.#world.sessions[session]?.proxy.alive === false) await this.#world.reopen(session);
    const sides = this.#world.sessions[session];
    if (sides === undefined) throw new Error('a session is missing');
    return sides;
  }
}

/**
 * Without the values, which differ from one example of a kind to the next. An error that PostgreSQL does
 * not raise has the same cause in whatever construct it shows.
 */
function failureName(failure: Failure, what: string): string {
  const error = failure.kind === 'different' ? failure.verdict.proxied.error : null;
  const bare = (text: string) => text.replaceAll(/\(.*|"[^"]*"|\d+/g, '').slice(0, 60);
  return error === null
    ? `${failure.scenario.construct} ${bare(what)}`
    : `${error.sqlState} ${bare(error.message)}`;
}

function sqlOf(steps: readonly Step[]): string {
  return steps.map(({ query }) => `${inline(render(query))};`).join('\n');
}

function answersOf({ proxied, plain }: Different): string {
  const show = (answer: typeof plain) => {
    const error = answer.error;
    if (error !== null) return `  ${error.sqlState} ${error.message}`;
    const rows = answer.results.flatMap((result) => result.rows);
    const shown = rows.slice(0, rowsShownMax).map((row) => `  ${rowText(row)}`);
    return [...shown, `  ${rows.length} rows, status ${answer.status}`].join('\n');
  };
  return `pgweave:\n${show(proxied)}\nPostgreSQL:\n${show(plain)}`;
}
