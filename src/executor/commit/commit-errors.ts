import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { decodeErrorResponse } from '../../protocol/error-response.ts';
import type { ShardId } from '../../sharding/shard-id.ts';

/** A participant was lost before anything could be committed. */
export function neverCommitted(shard: ShardId, cause: PgError | null = null): PgError {
  return new PgError(
    SqlState.serializationFailure,
    `the connection to shard ${shard} was lost before the transaction was committed`,
    {
      hint: 'Nothing of the transaction has been committed; run it again.',
      detail: cause?.message,
      cause,
    },
  );
}

/** The shard that decides was lost while it did, and nobody could be asked what it did. */
export function unknownOutcome(shard: ShardId, cause: PgError): PgError {
  return new PgError(
    SqlState.transactionResolutionUnknown,
    `the connection to shard ${shard} was lost during COMMIT`,
    {
      detail: cause.message,
      hint: 'It is not known whether the transaction was committed; look before running it again.',
      cause,
    },
  );
}

/** It is known that it is done, but not what it has answered. */
export function answerLost(shard: ShardId, cause: PgError): PgError {
  return new PgError(
    SqlState.transactionResolutionUnknown,
    `the connection to shard ${shard} was lost before the answer came`,
    {
      detail: `The statement has been committed. ${cause.message}`,
      hint: 'Do not run it again; look for what it has returned.',
      cause,
    },
  );
}

/** The commit is on the primary, and nobody knows whether it is anywhere else. */
export function notReplicated(shard: ShardId): PgError {
  return new PgError(
    SqlState.transactionResolutionUnknown,
    `the wait of a commit for the standby of shard ${shard} was interrupted`,
    {
      detail: 'It is committed on the primary, but no standby has confirmed it since.',
      hint: 'It is lost if the primary is; look before running it again.',
    },
  );
}

/** The server had ended its part of the transaction, without anybody having been told. */
export function rolledBack(shard: ShardId): PgError {
  return new PgError(
    SqlState.serializationFailure,
    `shard ${shard} has rolled its part of the transaction back`,
    { hint: 'Nothing of the transaction has been committed; run it again.' },
  );
}

/** Why the row that decides could not be inserted; a trigger's or a timeout's error passes as it is. */
export function undecided(
  shard: ShardId,
  error: { readonly frame: Buffer },
): PgError | { readonly frame: Buffer } {
  const cause = decodeErrorResponse(error.frame, 0, error.frame.length);
  switch (cause.sqlState) {
    case SqlState.uniqueViolation:
      return new PgError(
        SqlState.serializationFailure,
        'the transaction was given up because its commit took too long',
        { hint: 'Nothing of the transaction has been committed; run it again.', cause },
      );
    case SqlState.undefinedTable:
    case SqlState.insufficientPrivilege:
      return new PgError(
        SqlState.objectNotInPrerequisiteState,
        `shard ${shard} cannot decide a transaction that has written on several shards`,
        {
          detail: cause.message,
          hint: 'The control user makes the table pgweave.decision; the log says why it could not.',
          cause,
        },
      );
    default:
      return error;
  }
}
