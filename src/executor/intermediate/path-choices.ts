import type { MultiShardPlan } from '../../planner/plan.ts';

/** What the rows are that a path collects, as the servers estimate them. */
export type PathEstimate = { readonly rows: number; readonly bytes: number };

export type PathChoice = {
  /** 0: the plan's own path; then its other ones. */
  readonly path: number;
  /** One for each path; null: servers cannot tell, which leaves it at the plan's own. */
  readonly estimates: readonly (PathEstimate | null)[];
};

/** Remembers which path of a plan is taken; a plan dies with the schema that it was made for. */
export class PathChoices {
  readonly #byPlan = new WeakMap<MultiShardPlan, PathChoice>();

  find(plan: MultiShardPlan): PathChoice | null {
    return this.#byPlan.get(plan) ?? null;
  }

  keep(plan: MultiShardPlan, choice: PathChoice): void {
    this.#byPlan.set(plan, choice);
  }
}

/** The path with the fewest bytes to move; the plan's own when it is one of several, or unknown. */
export function cheapestPath(estimates: readonly (PathEstimate | null)[]): PathChoice {
  let path = 0;
  for (const [index, estimate] of estimates.entries()) {
    const best = estimates[path] ?? null;
    if (estimate !== null && best !== null && estimate.bytes < best.bytes) path = index;
  }
  return { path, estimates };
}
