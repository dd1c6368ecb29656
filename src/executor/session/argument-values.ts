import type { ConstantArgument, PreparedCommand } from '../../planner/commands/prepared-command.ts';
import { encodeBind } from '../../protocol/bind-message.ts';
import { encodeClose } from '../../protocol/close-message.ts';
import { syncMessage } from '../../protocol/constant-messages.ts';
import { DataRowReader } from '../../protocol/data-row.ts';
import { encodeExecute } from '../../protocol/execute-message.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeParse } from '../../protocol/parse-message.ts';
import { internalExchange } from '../internal-exchange.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { lostInTransaction } from '../transaction/lost-in-transaction.ts';

type Execute = Extract<PreparedCommand, { readonly kind: 'execute' }>;
type Values = readonly (Buffer | null)[];

/** The statement that the arguments are given to in place of the client's. */
const echoName = 'pgweave_arguments';

/** OIDs of pg_type.dat. An integer constant has at most 4 bytes, and is read alike by all of these. */
const integerTypes = new Set([20, 23, 25, 1700, 701]);
const boolean = 16;

/**
 * The values of EXECUTE's arguments as text. What is not plainly readable the home shard computes,
 * in an EXECUTE of its own, which converts them as PostgreSQL does. Errors are the client's.
 */
export function argumentValues(
  executor: SessionExecutor,
  command: Execute,
  typeOids: readonly number[],
  done: (ok: boolean) => void,
  known: (values: Values) => void,
): void {
  const values = command.arguments.map((argument, index) =>
    argument === null ? undefined : plainValue(argument, typeOids[index] ?? 0),
  );
  const plain = values.filter((value) => value !== undefined);
  if (plain.length === values.length) {
    known(plain);
    return;
  }
  const { home } = executor.world.planner.shardMap;
  const wanted = { shard: home, write: false, share: false, rowless: true };
  executor.acquire(wanted, done, (connection, release) => {
    const computed: (Buffer | null)[] = [];
    const reader = new DataRowReader();
    const exchange = internalExchange(
      (outcome) => {
        // The named statement is still there then.
        if (outcome.kind === 'error') connection.taint();
        release();
        if (outcome.kind === 'ready') known(computed);
        else if (outcome.kind === 'error') executor.fail(outcome, done);
        else executor.fail(lostInTransaction(home, outcome.error), done);
      },
      (code, chunk, start, end) => {
        if (code !== BackendCode.dataRow) return;
        reader.open(chunk, start, end);
        while (reader.next()) {
          const { valueStart, valueLength } = reader;
          const isNull = valueLength < 0;
          computed.push(
            isNull ? null : Buffer.from(chunk.subarray(valueStart, valueStart + valueLength)),
          );
        }
      },
    );
    executor.cancelWith(() => connection.cancel(exchange));
    const echo = `select ${typeOids.map((_, index) => `$${index + 1}`).join(', ')}`;
    const sql = `execute ${echoName}${command.argumentsText}`;
    connection.send(exchange, [
      encodeParse({ name: echoName, sql: echo, typeOids }),
      encodeParse({ name: '', sql, typeOids: [] }),
      encodeBind({ portal: '', statement: '', formats: [], values: [], resultFormats: [] }),
      encodeExecute({ portal: '', rowsMax: 0 }),
      encodeClose({ kind: 'statement', name: echoName }),
      syncMessage,
    ]);
  });
}

/** undefined: a server must say. */
function plainValue({ kind, text }: ConstantArgument, typeOid: number): Buffer | null | undefined {
  switch (kind) {
    case 'null':
      return null;
    case 'string':
      return Buffer.from(text);
    case 'integer':
      return integerTypes.has(typeOid) ? Buffer.from(text) : undefined;
    case 'boolean':
      return typeOid === boolean ? Buffer.from(text) : undefined;
  }
}
