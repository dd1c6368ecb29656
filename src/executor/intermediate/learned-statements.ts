import type { PlanNode } from '../../planner/plan.ts';
import type { FieldDescription } from '../../protocol/row-description.ts';
import type { ResultColumn } from './result-column.ts';

/** What servers have said about a statement; it holds as long as its plan. */
export type LearnedStatement = {
  readonly parameterOids: readonly number[];
  /** Of the client's own text. */
  readonly columns: readonly FieldDescription[];
  /** Columns of its intermediate results by number, those that were asked for. */
  readonly results: Map<number, readonly ResultColumn[]>;
};

/** Statements of one plan that differ in the types that the client declares for its parameters. */
const variantsMax = 16;

/**
 * Remembers it per plan, because a plan dies with the schema that it was made for, and stands for one
 * search path. Literals of the same kind make no difference to types.
 */
export class LearnedStatements {
  readonly #byPlan = new WeakMap<PlanNode, Map<string, LearnedStatement>>();

  find(plan: PlanNode, declaredOids: readonly number[]): LearnedStatement | null {
    return this.#byPlan.get(plan)?.get(declaredOids.join()) ?? null;
  }

  keep(plan: PlanNode, declaredOids: readonly number[], learned: LearnedStatement): void {
    const variants = this.#byPlan.get(plan) ?? new Map<string, LearnedStatement>();
    if (variants.size >= variantsMax) variants.clear();
    variants.set(declaredOids.join(), learned);
    this.#byPlan.set(plan, variants);
  }

  /** After an error: perhaps somebody has changed a table behind our back. */
  forget(plan: PlanNode): void {
    this.#byPlan.delete(plan);
  }
}
