import { LRUCache } from 'lru-cache';
import type { Plan } from './plan.ts';
import type { PlanRequest } from './plan-request.ts';
import { planStatement } from './plan-statement.ts';

/**
 * Plans by fingerprint, for one version of the schema and of the shard map at a time: `clear` it
 * when the map is replaced. Statements longer than the limit are planned anew each time, and many long
 * ones take the room of more short ones.
 */
export class PlanCache {
  readonly #plans: LRUCache<string, Plan>;
  #schemaVersion = -1;

  constructor(entriesMax: number) {
    this.#plans = new LRUCache({
      max: Math.max(1, entriesMax),
      maxSize: keyLengthsMax,
      sizeCalculation: (_, key) => key.length,
    });
  }

  get size(): number {
    return this.#plans.size;
  }

  clear(): void {
    this.#plans.clear();
  }

  plan(request: PlanRequest): Plan {
    const { schema, lexed, searchPath } = request;
    if (schema.version !== this.#schemaVersion) {
      this.#plans.clear();
      this.#schemaVersion = schema.version;
    }
    if (lexed.fingerprint.length > fingerprintMax) return planStatement(request);
    // No control character but marks is in a fingerprint outside of quotes, and none begins one.
    const key = `${searchPath.join('\u0000')}\u0000\u0000${lexed.fingerprint}`;
    const cached = this.#plans.get(key);
    if (cached !== undefined) return cached;
    const plan = planStatement(request);
    // Settings, and arguments of EXECUTE, differ in each value and are cheap to plan; COPY costs more to run.
    if (!isUncached.has(plan.kind)) this.#plans.set(key, plan);
    return plan;
  }
}

const isUncached: ReadonlySet<Plan['kind']> = new Set(['setting', 'prepared', 'recalled', 'copy']);
const fingerprintMax = 100_000;
/** Of all entries together: a plan takes a few bytes for each character of its text. */
const keyLengthsMax = 16_000_000;
