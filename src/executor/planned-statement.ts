import type { Plan } from '../planner/plan.ts';
import type { Schema } from '../planner/schema.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { LexedStatement } from '../sql/lexed-statement.ts';
import type { ShardTraffic } from './shard-traffic.ts';

/** A plan holds as long as both are the same objects. */
export type PlanningBasis = {
  readonly schema: Schema;
  readonly searchPath: readonly string[];
};

/** One statement of a client's text with its plan. */
export class PlannedStatement {
  readonly plan: Plan;
  /** null for what may not share a connection. */
  readonly traffic: ShardTraffic | null;
  /** Shards that can describe it; empty when it is answered without a shard. */
  readonly candidates: readonly ShardId[];
  /** What it was planned by; see StatementPlanner.upToDate. */
  readonly basis: PlanningBasis;
  /** The query string, which the offsets of `lexed` refer to. */
  readonly source: { readonly text: string; readonly lexed: LexedStatement };

  constructor(
    text: string,
    lexed: LexedStatement,
    plan: Plan,
    traffic: ShardTraffic | null,
    candidates: readonly ShardId[],
    basis: PlanningBasis,
  ) {
    this.source = { text, lexed };
    this.plan = plan;
    this.traffic = traffic;
    this.candidates = candidates;
    this.basis = basis;
  }

  /** Its own text. */
  get text(): string {
    const { text, lexed } = this.source;
    const whole = lexed.start === 0 && lexed.end === text.length;
    return whole ? text : text.slice(lexed.start, lexed.end);
  }

  /** UTF-16 offset in the query string. */
  get start(): number {
    return this.source.lexed.start;
  }

  /** The token of a literal that was cut out. */
  literalText(slot: number): string {
    const literal = this.source.lexed.literals[slot];
    return literal === undefined ? 'NULL' : this.source.text.slice(literal.start, literal.end);
  }
}
