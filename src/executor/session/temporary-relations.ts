import { withTemporary } from '../../planner/commands/temporary-schema.ts';
import { PlanCache } from '../../planner/plan-cache.ts';
import type { RelationSchema, Schema } from '../../planner/schema.ts';
import type { ShardMap } from '../../sharding/shard-map.ts';

/** A session with temporary tables repeats few statements, and its plans are nobody else's. */
const planCacheEntries = 64;

/** The temporary relations of one session, as they are until the next change. */
export class TemporaryRelations {
  readonly #relations: ReadonlyMap<string, RelationSchema>;
  #plans = new PlanCache(planCacheEntries);
  #base: Schema | null = null;
  #shardMap: ShardMap | null = null;
  #schema: Schema | null = null;
  #version = 0;

  constructor(relations: readonly RelationSchema[]) {
    this.#relations = new Map(relations.map((relation) => [relation.name, relation]));
  }

  /** The plans that hold for `schema`. */
  get plans(): PlanCache {
    return this.#plans;
  }

  /** The catalogue with these relations in it: the same object as long as both arguments are. */
  schema(base: Schema, shardMap: ShardMap): Schema {
    if (this.#schema !== null && this.#base === base && this.#shardMap === shardMap) {
      return this.#schema;
    }
    this.#base = base;
    this.#shardMap = shardMap;
    this.#version += 1;
    this.#plans = new PlanCache(planCacheEntries);
    this.#schema = withTemporary(base, this.#relations, this.#version);
    return this.#schema;
  }
}
