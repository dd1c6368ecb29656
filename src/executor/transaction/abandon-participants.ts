import { encodeQuery } from '../../protocol/query-message.ts';
import { internalExchange } from '../internal-exchange.ts';
import type { Participant } from './participant.ts';

/**
 * Rolls back where nothing is on its way; what still runs is ended with its connection. `taints`:
 * the servers' sessions may hold what nobody has asked about.
 */
export function abandonParticipants(participants: Iterable<Participant>, taints: boolean): void {
  for (const { connection } of participants) {
    if (!connection.alive) continue;
    if (connection.depth > 0) {
      connection.destroy('client disconnected in a transaction');
      continue;
    }
    if (taints) connection.taint();
    const exchange = internalExchange((outcome) => {
      if (outcome.kind === 'ready') connection.release();
      else connection.destroy('rollback failed');
    });
    connection.send(exchange, [encodeQuery('ROLLBACK')]);
  }
}
