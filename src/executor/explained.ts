import type { PgError } from '../base/pg-error.ts';
import type { ShardId } from '../sharding/shard-id.ts';

export type ShardExplain = {
  readonly shard: ShardId;
  readonly sql: string;
  /** EXPLAIN ANALYZE of a write. */
  readonly write: boolean;
};

/** What EXPLAIN needs to know of the explained statement. */
export type Explained =
  | {
      readonly kind: 'explained';
      readonly lines: readonly string[];
      readonly queries: readonly ShardExplain[];
    }
  | { readonly kind: 'error'; readonly error: PgError };
