import { assert } from '../../base/assert.ts';
import type { AggregateOutput, PlanNode } from '../../planner/plan.ts';
import { formatOf, type RoutePlan } from './shard-query-messages.ts';

export type AggregatePlan = Extract<PlanNode, { readonly kind: 'aggregate' }>;
export type LimitPlan = Extract<PlanNode, { readonly kind: 'limit' }>;

/** What a plan's nodes say together; a plan is a chain, each node has one input. */
export type PlanShape = {
  readonly route: RoutePlan;
  readonly aggregate: AggregatePlan | null;
  readonly limit: LimitPlan | null;
  /** Every shard's own query is limited, too: what it still has to send is little. */
  readonly isLimitPushed: boolean;
};

export function planShape(root: PlanNode): PlanShape {
  let aggregate: AggregatePlan | null = null;
  let limit: LimitPlan | null = null;
  let node = root;
  while (node.kind !== 'route') {
    if (node.kind === 'aggregate') {
      assert(aggregate === null, 'a plan aggregates once');
      aggregate = node;
    }
    if (node.kind === 'limit') {
      assert(limit === null, 'a plan limits once');
      limit = node;
    }
    node = node.input;
  }
  const isLimitPushed = limit !== null && aggregate === null;
  return { route: node, aggregate, limit, isLimitPushed };
}

/** Whether the client gets, as text, a number that may turn out to be a float made here. */
export function mayWriteFloats(shape: PlanShape, resultFormats: readonly number[]): boolean {
  const outputs: readonly AggregateOutput[] = shape.aggregate?.outputs ?? [];
  return outputs.some(
    (output, column) =>
      (output.kind === 'sum' || output.kind === 'avg') && formatOf(resultFormats, column) === 0,
  );
}
