import { KeptQuery } from './kept-query.ts';
import type { PlannedStatement } from './planned-statement.ts';
import type { ShardTraffic } from './shard-traffic.ts';

/** Of one plan; sessions whose settings give a text another meaning have one each. */
const meaningsMax = 16;

/**
 * The forms in which servers keep short reads of the simple protocol. They go with the plan and its
 * traffic: another catalogue or search_path makes other ones.
 */
export class KeptQueries {
  #lastName = 0;
  readonly #queries = new WeakMap<ShardTraffic, Map<string, KeptQuery | null>>();

  /** `meaning`: see PlanningSettings. null: it is to be run as the client wrote it. */
  of(planned: PlannedStatement, traffic: ShardTraffic, meaning: string): KeptQuery | null {
    // A comment may be meant for the server (pg_hint_plan, sqlcommenter); a form has none.
    const { text, lexed } = planned.source;
    if (text.includes('/*') || text.includes('--')) return null;
    let queries = this.#queries.get(traffic);
    if (queries === undefined) {
      queries = new Map();
      this.#queries.set(traffic, queries);
    }
    const known = queries.get(meaning);
    if (known !== undefined) return known;
    if (lexed.literals.length === 0 || queries.size === meaningsMax) return null;
    this.#lastName += 1;
    const query = KeptQuery.of(planned, `pgweave_q${this.#lastName}`);
    queries.set(meaning, query);
    return query;
  }
}
