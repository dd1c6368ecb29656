import type { ServerConnection } from '../../backend/server-connection.ts';
import type { PgError } from '../../base/pg-error.ts';
import { DataRowReader } from '../../protocol/data-row.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import { internalExchange } from '../internal-exchange.ts';

export type FloatDigitsOutcome =
  | { readonly kind: 'read'; readonly extraFloatDigits: number }
  | { readonly kind: 'failed'; readonly error: PgError | { readonly frame: Buffer } };

/**
 * Reads extra_float_digits from the session that runs the statement: the role, the database, SET
 * LOCAL or a configuration file may have set it, and no server reports it by itself.
 */
export function readFloatDigits(
  connection: ServerConnection,
  done: (outcome: FloatDigitsOutcome) => void,
): void {
  let text = '';
  const reader = new DataRowReader();
  const onFrame = (code: number, chunk: Buffer, start: number, end: number) => {
    if (code !== BackendCode.dataRow || end - start < 11) return;
    reader.open(chunk, start, end);
    reader.next();
    text = chunk.toString('latin1', reader.valueStart, reader.valueStart + reader.valueLength);
  };
  const exchange = internalExchange((outcome) => {
    if (outcome.kind === 'error') done({ kind: 'failed', error: { frame: outcome.frame } });
    else if (outcome.kind === 'lost') done({ kind: 'failed', error: outcome.error });
    else done({ kind: 'read', extraFloatDigits: Number.parseInt(text, 10) });
  }, onFrame);
  connection.send(exchange, [encodeQuery('SHOW extra_float_digits')]);
}
