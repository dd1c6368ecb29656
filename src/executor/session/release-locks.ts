import { encodeQuery } from '../../protocol/query-message.ts';
import { internalExchange } from '../internal-exchange.ts';
import type { Transaction } from '../transaction/transaction.ts';

/**
 * A block has failed so that others can go on. Their locks go now, not when the client gets to its
 * ROLLBACK: back to the last savepoint, as on one PostgreSQL. A server that is at work is left alone.
 */
export function releaseLocks({ participants, lastSavepoint: savepoint }: Transaction): void {
  const name = savepoint === null ? null : `"${savepoint.replaceAll('"', '""')}"`;
  const text = name === null ? 'ROLLBACK' : `ROLLBACK TO SAVEPOINT ${name}`;
  for (const { connection } of participants.values()) {
    const { alive, depth, status } = connection;
    if (!alive || depth > 0 || status !== 'in-transaction') continue;
    // However it ends, the client's own ROLLBACK follows.
    const exchange = internalExchange(() => {});
    connection.send(exchange, [encodeQuery(text)]);
  }
}
