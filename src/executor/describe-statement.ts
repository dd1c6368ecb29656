import type { Exchange } from '../backend/exchange.ts';
import type { ServerConnection } from '../backend/server-connection.ts';
import { assert } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { syncMessage } from '../protocol/constant-messages.ts';
import { encodeDescribe } from '../protocol/describe-message.ts';
import { BackendCode } from '../protocol/message-code.ts';
import { decodeParameterDescription } from '../protocol/parameter-description.ts';
import { encodeParse } from '../protocol/parse-message.ts';
import { decodeRowDescription, type FieldDescription } from '../protocol/row-description.ts';
import { internalExchange } from './internal-exchange.ts';
import { serverTypeOids } from './server-type-oids.ts';

export type StatementDescription = {
  readonly parameterOids: readonly number[];
  /** null for a statement that returns no rows. Formats are text. */
  readonly columns: readonly FieldDescription[] | null;
};

export type DescribeOutcome =
  | { readonly kind: 'described'; readonly description: StatementDescription }
  /** A PgError of ours or the server's own ErrorResponse. */
  | { readonly kind: 'failed'; readonly error: PgError | { readonly frame: Buffer } };

/**
 * Asks a server for a statement's parameters and columns: Parse (unnamed), Describe, Sync in one
 * flight. `done` is called once, at ReadyForQuery or when the connection is lost.
 */
export function describeStatement(
  connection: ServerConnection,
  statement: { readonly text: string; readonly parameterOids: readonly number[] },
  done: (outcome: DescribeOutcome) => void,
): Exchange {
  let parameterOids: readonly number[] = [];
  let columns: readonly FieldDescription[] | null = null;
  let malformed: PgError | null = null;
  const onFrame = (code: number, chunk: Buffer, start: number, end: number) => {
    try {
      if (code === BackendCode.parameterDescription) {
        parameterOids = decodeParameterDescription(chunk, start, end);
      } else if (code === BackendCode.rowDescription) {
        columns = decodeRowDescription(chunk, start, end);
      }
    } catch (error) {
      assert(error instanceof PgError, 'decoders throw nothing but PgError');
      malformed = error;
    }
  };
  const exchange = internalExchange((outcome) => {
    if (outcome.kind === 'error') {
      done({ kind: 'failed', error: { frame: outcome.frame } });
    } else if (outcome.kind === 'lost') {
      done({ kind: 'failed', error: outcome.error });
    } else if (malformed !== null) {
      done({ kind: 'failed', error: malformed });
    } else {
      done({ kind: 'described', description: { parameterOids, columns } });
    }
  }, onFrame);
  const typeOids = serverTypeOids(connection, statement.parameterOids);
  connection.send(exchange, [
    encodeParse({ name: '', sql: statement.text, typeOids }),
    encodeDescribe({ kind: 'statement', name: '' }),
    syncMessage,
  ]);
  return exchange;
}
