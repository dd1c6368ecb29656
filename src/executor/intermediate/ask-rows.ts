import type { Exchange } from '../../backend/exchange.ts';
import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { syncMessage } from '../../protocol/constant-messages.ts';
import { DataRowReader } from '../../protocol/data-row.ts';
import { encodeExecute } from '../../protocol/execute-message.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeParse } from '../../protocol/parse-message.ts';
import { internalExchange } from '../internal-exchange.ts';
import { serverTypeOids } from '../server-type-oids.ts';
import { type BoundQuery, bindMessage } from './bound-query.ts';

export type RowsOutcome =
  | { readonly kind: 'rows'; readonly rows: readonly (readonly (string | null)[])[] }
  | { readonly kind: 'failed'; readonly error: PgError | { readonly frame: Buffer } };

/** Runs a query with few and small rows, all taken as text. `done` is called once. */
export function askRows(
  connection: ServerConnection,
  query: BoundQuery,
  done: (outcome: RowsOutcome) => void,
): Exchange {
  const rows: (string | null)[][] = [];
  const reader = new DataRowReader();
  let malformed: PgError | null = null;
  const onFrame = (code: number, chunk: Buffer, start: number, end: number) => {
    if (code !== BackendCode.dataRow) return;
    try {
      rows.push(textsOf(reader, chunk, start, end));
    } catch (error) {
      assert(error instanceof PgError, 'decoders throw nothing but PgError');
      malformed = error;
    }
  };
  const exchange = internalExchange((outcome) => {
    if (outcome.kind === 'error') done({ kind: 'failed', error: { frame: outcome.frame } });
    else if (outcome.kind === 'lost') done({ kind: 'failed', error: outcome.error });
    else if (malformed !== null) done({ kind: 'failed', error: malformed });
    else done({ kind: 'rows', rows });
  }, onFrame);
  const typeOids = serverTypeOids(connection, query.typeOids);
  connection.send(exchange, [
    encodeParse({ name: '', sql: query.sql, typeOids }),
    ...bindMessage(query, '', []),
    encodeExecute({ portal: '', rowsMax: 0 }),
    syncMessage,
  ]);
  return exchange;
}

function textsOf(
  reader: DataRowReader,
  chunk: Buffer,
  start: number,
  end: number,
): (string | null)[] {
  const row: (string | null)[] = [];
  reader.open(chunk, start, end);
  while (reader.next()) {
    const { valueStart, valueLength } = reader;
    const isNull = valueLength < 0;
    row.push(isNull ? null : chunk.toString('utf8', valueStart, valueStart + valueLength));
  }
  return row;
}
