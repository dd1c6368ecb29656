import { PgError } from '../base/pg-error.ts';
import { describeStatement } from '../executor/describe-statement.ts';
import { shardOf } from '../executor/session/prepared-commands.ts';
import type { PreparedText } from '../executor/session/session-events.ts';
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
  let statement: PreparedText | null = null;
  try {
    statement = executor.session.preparedStatement(name);
  } catch (error) {
    if (!(error instanceof PgError)) throw error;
    executor.fail(error, done);
    return;
  }
  const parts = step.kind === 'describe-statement' ? [encodeParameterDescription([])] : [];
  if (statement === null) executor.succeed(Buffer.concat([...parts, noData]), done);
  else describe(executor, step, statement, () => parts, done);
}

/** Describe of a statement whose text is not what will run: its parameters and columns are the same. */
export function describeText(
  executor: SessionExecutor,
  step: DescribeStep,
  statement: Pick<PreparedText, 'planned' | 'typeOids'>,
  done: (ok: boolean) => void,
): void {
  const partsOf = (oids: readonly number[]) =>
    step.kind === 'describe-statement' ? [encodeParameterDescription(oids)] : [];
  describe(executor, step, statement, partsOf, done);
}

function describe(
  executor: SessionExecutor,
  step: DescribeStep,
  { planned, typeOids }: Pick<PreparedText, 'planned' | 'typeOids'>,
  partsOf: (parameterOids: readonly number[]) => readonly Buffer[],
  done: (ok: boolean) => void,
): void {
  const formats = step.kind === 'describe-portal' ? step.portal.resultFormats : [];
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
      const { columns, parameterOids } = outcome.description;
      const parts = [...partsOf(parameterOids)];
      const formatOf = (index: number) => formats[formats.length === 1 ? 0 : index] ?? 0;
      const described = columns?.map((column, index) => ({ ...column, format: formatOf(index) }));
      parts.push(described === undefined ? noData : encodeRowDescription(described));
      executor.succeed(Buffer.concat(parts), done);
    });
  });
}
