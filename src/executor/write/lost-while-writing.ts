import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { ShardFailure } from '../merge/shard-stream.ts';
import { isLoss } from '../run-again.ts';

/** Nothing has been committed when a server is lost before COMMIT. */
export function lostWhileWriting(error: ShardFailure): ShardFailure {
  if ('frame' in error || !isLoss(error)) return error;
  return new PgError(
    SqlState.serializationFailure,
    'the connection to a shard was lost while the statement wrote on several',
    {
      detail: error.message,
      hint: 'Nothing of it has been committed; run the statement, or its transaction, again.',
      cause: error,
    },
  );
}
