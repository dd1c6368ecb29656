import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Flight } from './flight.ts';

/** The connection ended in the middle of a statement outside of a transaction. */
export function lostError(flight: Flight, cause: PgError): PgError {
  const fields = { detail: cause.message, cause };
  if (flight.write) {
    return new PgError(
      SqlState.transactionResolutionUnknown,
      `the connection to shard ${flight.shard} was lost while the statement ran`,
      {
        ...fields,
        hint: 'It is not known whether it was committed; look before running it again.',
      },
    );
  }
  return new PgError(
    SqlState.serializationFailure,
    `the connection to shard ${flight.shard} was lost while rows were being returned`,
    { ...fields, hint: 'Run the statement again.' },
  );
}
