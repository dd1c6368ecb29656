import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import type { CopyDefaults } from '../../planner/copy/copy-plan.ts';
import { encodeBind } from '../../protocol/bind-message.ts';
import { syncMessage } from '../../protocol/constant-messages.ts';
import { DataRowReader } from '../../protocol/data-row.ts';
import { encodeExecute } from '../../protocol/execute-message.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeParse } from '../../protocol/parse-message.ts';
import { userOidMin } from '../intermediate/bound-query.ts';
import { formatsToRead, type ValueReader, valueReaders } from '../intermediate/exact-values.ts';
import { StyleCheck, textStyles } from '../intermediate/text-styles.ts';
import { internalExchange } from '../internal-exchange.ts';
import type { ShardFailure } from '../merge/shard-stream.ts';
import { demandFloatDigits } from '../select/first-shard-questions.ts';

export type DefaultsQuestion = {
  readonly defaults: CopyDefaults;
  /** So many values of each column. */
  readonly rows: number;
  /** As COPY's binary format has them; else as text that every server reads alike. */
  readonly isBinary: boolean;
  /** Hears the values of each row, views that are valid in the call. May throw PgError. */
  onRow(values: readonly (Buffer | null)[]): void;
};

/** Has a server compute defaults. `done` is called once, or twice if it fails; null: all is well. */
export function askDefaults(
  connection: ServerConnection,
  { defaults, rows, isBinary, onRow }: DefaultsQuestion,
  done: (failure: ShardFailure | null) => void,
): void {
  const { columns, selectList } = defaults;
  if (!isBinary) {
    const typed = columns.map(({ typeOid }) => ({ typeOid, isComposed: typeOid >= userOidMin }));
    const styles = textStyles(typed);
    const error = new StyleCheck(styles).errorOf(connection.parameters);
    if (error !== null) {
      done(error);
      return;
    }
    if (styles.floats) demandFloatDigits(connection, done);
  }
  const readers = isBinary ? [] : valueReaders(columns);
  const reader = new DataRowReader();
  let failure: PgError | null = null;
  const exchange = internalExchange(
    (outcome) => {
      if (outcome.kind === 'error') done({ frame: outcome.frame });
      else done(outcome.kind === 'lost' ? outcome.error : failure);
    },
    (code, chunk, start, end) => {
      if (code !== BackendCode.dataRow || failure !== null) return;
      try {
        onRow(valuesOf(reader, readers, chunk, start, end));
      } catch (error) {
        assert(error instanceof PgError, 'decoders throw nothing but PgError');
        failure = error;
      }
    },
  );
  const sql = `SELECT ${selectList} FROM pg_catalog.generate_series(1, ${rows})`;
  connection.send(exchange, [
    encodeParse({ name: '', sql, typeOids: [] }),
    encodeBind({
      portal: '',
      statement: '',
      formats: [],
      values: [],
      resultFormats: isBinary ? [1] : formatsToRead(columns),
    }),
    encodeExecute({ portal: '', rowsMax: 0 }),
    syncMessage,
  ]);
}

function valuesOf(
  reader: DataRowReader,
  readers: readonly (ValueReader | null)[],
  chunk: Buffer,
  start: number,
  end: number,
): readonly (Buffer | null)[] {
  const values: (Buffer | null)[] = [];
  reader.open(chunk, start, end);
  while (reader.next()) {
    const { valueStart, valueLength } = reader;
    const read = readers[values.length] ?? null;
    if (valueLength < 0) values.push(null);
    else if (read !== null) values.push(Buffer.from(read(chunk, valueStart, valueLength)));
    else values.push(chunk.subarray(valueStart, valueStart + valueLength));
  }
  return values;
}
