import { PgError } from '../base/pg-error.ts';
import { describeStatement } from '../executor/describe-statement.ts';
import { shardOf } from '../executor/prepared-commands.ts';
import type { PreparedText } from '../executor/session-events.ts';
import type { SessionExecutor } from '../executor/session-executor.ts';
import { noData } from '../protocol/constant-messages.ts';
import { encodeParameterDescription } from '../protocol/parameter-description.ts';
import { encodeRowDescription } from '../protocol/row-description.ts';
import type { DescribeStep } from './batch-groups.ts';

/** Describe of an EXECUTE: the columns of the statement that it names, without any if there is none. */
export function describeExecute(
  executor: SessionExecutor,
  step: DescribeStep,
  name: string,
  done: (ok: boolean) => void,
): void {
  const parts = step.kind === 'describe-statement' ? [encodeParameterDescription([])] : [];
  const formats = step.kind === 'describe-portal' ? step.portal.resultFormats : [];
  let statement: PreparedText | null = null;
  try {
    statement = executor.session.preparedStatement(name);
  } catch (error) {
    if (!(error instanceof PgError)) throw error;
    executor.fail(error, done);
    return;
  }
  if (statement === null) {
    executor.succeed(Buffer.concat([...parts, noData]), done);
    return;
  }
  const { planned, typeOids } = statement;
  const shard = shardOf(executor, planned);
  const wanted = { shard, write: false, share: false, rowless: true };
  executor.acquire(wanted, done, (connection, release) => {
    executor.cancelWith(null);
    const question = { text: planned.text, parameterOids: typeOids };
    describeStatement(connection, question, (outcome) => {
      release();
      if (outcome.kind === 'failed') {
        executor.fail(outcome.error, done);
        return;
      }
      const { columns } = outcome.description;
      const formatOf = (index: number) => formats[formats.length === 1 ? 0 : index] ?? 0;
      const described = columns?.map((column, index) => ({ ...column, format: formatOf(index) }));
      parts.push(described === undefined ? noData : encodeRowDescription(described));
      executor.succeed(Buffer.concat(parts), done);
    });
  });
}
