import { assert } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { describeStatement } from '../executor/describe-statement.ts';
import { isLoss, rerunsMax } from '../executor/run-again.ts';
import type { SessionExecutor } from '../executor/session-executor.ts';
import { noData } from '../protocol/constant-messages.ts';
import { encodeRowDescription } from '../protocol/row-description.ts';
import type { Portal } from './prepared-statement.ts';

/** Describe of a portal over several shards that is not executed in the same batch. */
export function describePortal(
  executor: SessionExecutor,
  portal: Portal,
  done: (ok: boolean) => void,
): void {
  describe(executor, portal, rerunsMax, done);
}

function describe(
  executor: SessionExecutor,
  portal: Portal,
  rerunsLeft: number,
  done: (ok: boolean) => void,
): void {
  const { target, statement, resultFormats } = portal;
  assert(
    target?.kind === 'multi-shard' || target?.kind === 'write' || target?.kind === 'utility',
    'a portal over shards',
  );
  const shard = target.kind === 'multi-shard' ? target.describedOn : target.home;
  executor.acquire({ shard, write: false, share: false }, done, (connection, release) => {
    executor.cancelWith(null);
    const question = { text: statement.planned.text, parameterOids: statement.typeOids };
    describeStatement(connection, question, (outcome) => {
      release();
      if (outcome.kind === 'failed') {
        const { error } = outcome;
        const mayRunAgain = rerunsLeft > 0 && executor.transaction.block === 'none';
        if (mayRunAgain && error instanceof PgError && isLoss(error)) {
          executor.later(rerunsLeft, done, () => describe(executor, portal, rerunsLeft - 1, done));
        } else executor.fail(error, done);
        return;
      }
      const { columns } = outcome.description;
      const formatOf = (index: number) =>
        resultFormats.length === 1 ? (resultFormats[0] ?? 0) : (resultFormats[index] ?? 0);
      const described = columns?.map((column, index) => ({ ...column, format: formatOf(index) }));
      executor.succeed(described === undefined ? noData : encodeRowDescription(described), done);
    });
  });
}
