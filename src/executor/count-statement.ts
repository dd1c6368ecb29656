import { unreachable } from '../base/assert.ts';
import type { RouteKind, Telemetry } from '../base/telemetry.ts';
import type { Plan } from '../planner/plan.ts';
import type { Target } from './target.ts';

/** Counts a statement that tables or keys have routed, once its target is known. */
export function countStatement(telemetry: Telemetry, plan: Plan, target: Target): void {
  telemetry.statement(routeOf(plan, target));
}

function routeOf(plan: Plan, target: Target): RouteKind {
  switch (target.kind) {
    case 'shard': {
      const routed = plan.kind === 'select' || plan.kind === 'modify';
      return routed && plan.routing.kind !== 'home' ? 'single-shard' : 'home';
    }
    case 'multi-shard':
    case 'write':
    case 'utility':
      return 'multi-shard';
    case 'error':
      return 'rejected';
    default:
      return unreachable(target);
  }
}
