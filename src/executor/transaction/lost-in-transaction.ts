import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { ShardId } from '../../sharding/shard-id.ts';

/** A participant's connection is gone before COMMIT: what clients already run again for. */
export function lostInTransaction(shard: ShardId, cause: PgError | null): PgError {
  return new PgError(
    SqlState.serializationFailure,
    `the connection to shard ${shard} was lost during the transaction`,
    {
      hint: 'Nothing of the transaction has been committed; run it again.',
      detail: cause?.message,
      cause,
    },
  );
}
