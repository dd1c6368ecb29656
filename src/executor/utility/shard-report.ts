import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import {
  decodeErrorFields,
  decodeErrorResponse,
  encodeErrorFields,
} from '../../protocol/error-response.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ShardFailure } from '../merge/shard-stream.ts';
import { isLoss } from '../run-again.ts';

/** A server's own words, and which server's they are. */
export function onShard(failure: ShardFailure, shard: ShardId): ShardFailure {
  if (!('frame' in failure)) return failure;
  const { frame } = failure;
  const fields = new Map(decodeErrorFields(frame, 0, frame.length));
  const context = fields.get('W');
  fields.set('W', `${context === undefined ? '' : `${context}\n`}shard "${shard}"`);
  return { frame: encodeErrorFields(BackendCode.errorResponse, fields) };
}

/** Nothing has been committed when a server is lost before COMMIT. */
export function undone(failure: ShardFailure): ShardFailure {
  if ('frame' in failure || !isLoss(failure)) return failure;
  return new PgError(
    SqlState.serializationFailure,
    'the connection to a shard was lost while the statement ran on all of them',
    {
      detail: failure.message,
      hint: 'Nothing of it has been committed; run the statement, or its transaction, again.',
      cause: failure,
    },
  );
}

/** How far a statement has come that is not in one transaction. */
export type Progress = {
  readonly done: readonly ShardId[];
  readonly failed: readonly ShardId[];
  readonly untried: readonly ShardId[];
};

/** `remedy`: how the shards are brought together again. */
export function halfDone(failure: ShardFailure, progress: Progress, remedy: string): PgError {
  const error =
    'frame' in failure ? decodeErrorResponse(failure.frame, 0, failure.frame.length) : failure;
  const list = (words: string, shards: readonly ShardId[]) =>
    shards.length === 0 ? [] : [`${words} ${shards.map((shard) => `"${shard}"`).join(', ')}`];
  const { done, failed, untried } = progress;
  const report = [
    ...list('done on', done),
    ...list('failed on', failed),
    ...list('not tried on', untried),
  ].join('; ');
  const detail = error.detail === undefined ? '' : `${error.detail}\n`;
  const hint = error.hint === undefined ? '' : `${error.hint}\n`;
  return new PgError(error.sqlState, error.message, {
    detail: `${detail}The statement was ${report}.`,
    hint: `${hint}${remedy}`,
    position: error.position,
    cause: error,
  });
}
