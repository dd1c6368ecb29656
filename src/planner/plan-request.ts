import type { TableSharding } from '../sharding/shard-map.ts';
import type { LexedStatement } from '../sql/lexed-statement.ts';
import type { Schema } from './schema.ts';

/** A statement to plan, and what decides its plan. */
export type PlanRequest = {
  readonly lexed: LexedStatement;
  /** The query string that `lexed` is a part of. */
  readonly text: string;
  readonly schema: Schema;
  /** The listed tables (ShardMap.tables), which need not exist yet. */
  readonly tables: ReadonlyMap<string, TableSharding>;
  /** The session's schemas, `$user` already replaced. */
  readonly searchPath: readonly string[];
  /** The procedures in whose bodies the statement stands, from the outermost one on. */
  readonly callers?: readonly string[];
};
