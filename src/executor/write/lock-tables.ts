import type { ServerConnection } from '../../backend/server-connection.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import { internalExchange } from '../internal-exchange.ts';
import type { ShardFailure } from '../merge/shard-stream.ts';

/** `pgwe` in ASCII: the first key of our advisory locks. */
const lockSpace = 0x70677765;

/**
 * Until the end of the transaction nobody else writes the reference tables through pgweave. Whoever
 * has the lock on the home shard asks for it on the others, where it may have to wait for a
 * transaction that is prepared: so copies change in the same order everywhere, and nobody waits in a
 * circle.
 */
export function lockTables(
  connection: ServerConnection,
  tables: readonly string[],
  done: (failure: ShardFailure | null) => void,
): void {
  const exchange = internalExchange((outcome) => {
    if (outcome.kind === 'error') done({ frame: outcome.frame });
    else done(outcome.kind === 'lost' ? outcome.error : null);
  });
  const locks = tables.map(
    (table) => `pg_catalog.pg_advisory_xact_lock(${lockSpace}, ${hashOf(table)})`,
  );
  connection.send(exchange, [encodeQuery(`SELECT ${locks.join(', ')}`)]);
}

/** FNV-1a, as PostgreSQL's int4. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}
