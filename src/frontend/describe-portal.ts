import { assert } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { describeStatement } from '../executor/describe-statement.ts';
import { isLoss, rerunsMax } from '../executor/run-again.ts';
import type { SessionExecutor } from '../executor/session-executor.ts';
import { noData } from '../protocol/constant-messages.ts';
import { encodeRowDescription, type FieldDescription } from '../protocol/row-description.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { Portal, PreparedStatement } from './prepared-statement.ts';
import { changedColumns } from './told-columns.ts';

/** Describe of a portal over several shards that is not executed in the same batch. */
export function describePortal(
  executor: SessionExecutor,
  { target, statement, resultFormats }: Portal,
  done: (ok: boolean) => void,
): void {
  assert(
    target?.kind === 'multi-shard' || target?.kind === 'write' || target?.kind === 'utility',
    'a portal over shards',
  );
  const shard = target.kind === 'multi-shard' ? target.describedOn : target.home;
  askColumns(executor, { shard, statement, rerunsLeft: rerunsMax, done }, (columns) => {
    const formatOf = (index: number) =>
      resultFormats.length === 1 ? (resultFormats[0] ?? 0) : (resultFormats[index] ?? 0);
    const described = columns?.map((column, index) => ({ ...column, format: formatOf(index) }));
    executor.succeed(described === undefined ? noData : encodeRowDescription(described), done);
  });
}

/** Fails when a statement's columns are not those any more that the client has been told. */
export function checkToldColumns(
  executor: SessionExecutor,
  { statement, shard }: { readonly statement: PreparedStatement; readonly shard: ShardId },
  done: (ok: boolean) => void,
): void {
  askColumns(executor, { shard, statement, rerunsLeft: rerunsMax, done }, (columns) => {
    const { told, planned } = statement;
    const changed = told === null ? null : changedColumns(told, planned, columns);
    if (changed === null) done(true);
    else executor.fail(changed, done);
  });
}

type Question = {
  readonly shard: ShardId;
  readonly statement: PreparedStatement;
  readonly rerunsLeft: number;
  /** Called when there is no answer; the client has been told. */
  done(ok: boolean): void;
};

function askColumns(
  executor: SessionExecutor,
  question: Question,
  take: (columns: readonly FieldDescription[] | null) => void,
): void {
  const { shard, statement, rerunsLeft, done } = question;
  executor.acquire({ shard, write: false, share: false }, done, (connection, release) => {
    executor.cancelWith(null);
    const asked = { text: statement.planned.text, parameterOids: statement.typeOids };
    describeStatement(connection, asked, (outcome) => {
      release();
      if (outcome.kind === 'described') {
        take(outcome.description.columns);
        return;
      }
      const { error } = outcome;
      const mayRunAgain = rerunsLeft > 0 && executor.transaction.block === 'none';
      if (!mayRunAgain || !(error instanceof PgError) || !isLoss(error)) {
        executor.fail(error, done);
        return;
      }
      const again = { ...question, rerunsLeft: rerunsLeft - 1 };
      executor.later(rerunsLeft, done, () => askColumns(executor, again, take));
    });
  });
}
