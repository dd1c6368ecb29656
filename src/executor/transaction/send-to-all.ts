import type { PgError } from '../../base/pg-error.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ClientOutput } from '../client-output.ts';
import { internalExchange } from '../internal-exchange.ts';
import { lostInTransaction } from './lost-in-transaction.ts';
import type { Participant } from './participant.ts';

/**
 * Sends `text` to the participants; `done` when all have answered. What settings a ROLLBACK gives
 * back `output` is told once.
 */
export function sendToAll(
  participants: readonly Participant[],
  text: string,
  output: Pick<ClientOutput, 'write'> | null,
  done: (lost: PgError | null) => void,
): void {
  let waiting = participants.length;
  let lost: PgError | null = null;
  if (waiting === 0) {
    done(null);
    return;
  }
  for (const [index, { connection, shard }] of participants.entries()) {
    const exchange = internalExchange(
      (outcome) => {
        if (outcome.kind === 'lost') lost = lostInTransaction(shard, outcome.error);
        waiting -= 1;
        if (waiting === 0) done(lost);
      },
      (code, chunk, start, end) => {
        if (index === 0 && code === BackendCode.parameterStatus) output?.write(chunk, start, end);
      },
    );
    connection.send(exchange, [encodeQuery(text)]);
  }
}
