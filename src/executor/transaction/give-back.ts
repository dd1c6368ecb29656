import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';

/**
 * A connection that comes when the client is gone. Else a step that still waited would begin the block
 * anew, with nobody there to end it.
 */
export function giveBack(request: { onRefused(error: PgError): void }, release: () => void): void {
  release();
  request.onRefused(clientGone());
}

export function clientGone(): PgError {
  return new PgError(SqlState.queryCanceled, 'client disconnected');
}
