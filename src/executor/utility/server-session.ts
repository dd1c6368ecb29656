import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import type { SequenceSession } from '../../cluster/sequences/read-sequences.ts';
import { DataRowReader } from '../../protocol/data-row.ts';
import { decodeErrorResponse } from '../../protocol/error-response.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import { decodeRowDescription } from '../../protocol/row-description.ts';
import { internalExchange } from '../internal-exchange.ts';

/** Questions of our own in a client's transaction. Queries may follow each other in one flight. */
export function serverSession(connection: ServerConnection): SequenceSession {
  return { query: (sql) => ask(connection, sql) };
}

type Row = { readonly [column: string]: string | null };

function ask(connection: ServerConnection, sql: string): Promise<readonly Row[]> {
  return new Promise((resolve, reject) => {
    const rows: Row[] = [];
    const reader = new DataRowReader();
    let names: readonly string[] = [];
    let malformed: PgError | null = null;
    const onFrame = (code: number, chunk: Buffer, start: number, end: number) => {
      try {
        if (code === BackendCode.rowDescription) {
          names = decodeRowDescription(chunk, start, end).map(({ name }) => name);
        } else if (code === BackendCode.dataRow) {
          reader.open(chunk, start, end);
          rows.push(rowOf(reader, names, chunk));
        }
      } catch (error) {
        assert(error instanceof PgError, 'decoders throw nothing but PgError');
        malformed = error;
      }
    };
    const exchange = internalExchange((outcome) => {
      if (outcome.kind === 'lost') reject(outcome.error);
      else if (outcome.kind === 'error') {
        reject(decodeErrorResponse(outcome.frame, 0, outcome.frame.length));
      } else if (malformed !== null) reject(malformed);
      else resolve(rows);
    }, onFrame);
    connection.send(exchange, [encodeQuery(sql)]);
  });
}

function rowOf(reader: DataRowReader, names: readonly string[], chunk: Buffer): Row {
  const row: { [column: string]: string | null } = {};
  for (const name of names) {
    if (!reader.next()) break;
    const { valueStart, valueLength } = reader;
    row[name] =
      valueLength < 0 ? null : chunk.toString('utf8', valueStart, valueStart + valueLength);
  }
  return row;
}
