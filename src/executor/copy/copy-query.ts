import { unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CopyOptions } from '../../planner/copy/copy-options.ts';
import type { CopyPlan } from '../../planner/copy/copy-plan.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { copyDone } from '../../protocol/constant-messages.ts';
import { type CopyColumn, CopyRowWriter } from '../../protocol/copy/copy-row-writer.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import { decodeRowDescription } from '../../protocol/row-description.ts';
import { countStatement } from '../count-statement.ts';
import { internalExchange } from '../internal-exchange.ts';
import type { PlannedStatement } from '../planned-statement.ts';
import { rejection } from '../rejection.ts';
import { MultiShardPortal } from '../select/run-multi-shard.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { StatementRun } from '../statement-run.ts';
import type { Target } from '../target.ts';
import { lostInTransaction } from '../transaction/lost-in-transaction.ts';

type Done = (ok: boolean) => void;
type QueryOut = Extract<CopyPlan, { readonly kind: 'query-out' }>;
type MultiShardTarget = Extract<Target, { readonly kind: 'multi-shard' }>;

/** COPY (query) TO STDOUT: the query is planned as it would be by itself. */
export function copyQuery(
  executor: SessionExecutor,
  run: StatementRun,
  copy: QueryOut,
  done: Done,
): void {
  const { world } = executor;
  const [query] = world.planner.planAll(executor, copy.queryText);
  const plan = query?.plan;
  if (query === undefined || (plan?.kind !== 'select' && plan?.kind !== 'modify')) {
    world.telemetry.statement('rejected');
    executor.fail(plan?.kind === 'reject' ? rejection(plan) : noQuery(), done);
    return;
  }
  const target = world.planner.targetOf(executor, query, run.parameters);
  countStatement(world.telemetry, plan, target);
  switch (target.kind) {
    case 'shard': {
      const { shard, write } = target;
      const text = run.padding + run.planned.text;
      const build = () => ({ messages: [encodeQuery(text)], script: null });
      executor.runFlight({ shard, write, traffic: null, build }, done);
      return;
    }
    case 'multi-shard':
      copySeveral(executor, { run, copy, query, target }, done);
      return;
    case 'write':
    case 'utility':
      executor.fail(noQuery(), done);
      return;
    case 'error':
      executor.fail(target.error, done);
      return;
    default:
      unreachable(target);
  }
}

function noQuery(): PgError {
  return new PgError(
    SqlState.featureNotSupported,
    'COPY of a statement that writes on several shards is not supported',
    { hint: 'Run the statement with RETURNING by itself.' },
  );
}

type QueryRun = {
  readonly run: StatementRun;
  readonly copy: QueryOut;
  readonly query: PlannedStatement;
  readonly target: MultiShardTarget;
};

function copySeveral(executor: SessionExecutor, queryRun: QueryRun, done: Done): void {
  const { encoding } = queryRun.copy.options;
  if (encoding !== null && !/^(?:UTF8|UNICODE)$/.test(encoding)) {
    const message = `COPY with encoding ${encoding} of a query over several shards is not supported`;
    const hint = 'Use UTF8, and convert the data.';
    executor.fail(new PgError(SqlState.featureNotSupported, message, { hint }), done);
    return;
  }
  checkOptions(executor, queryRun, done, () => copyRows(executor, queryRun, done));
}

/** A server says whether the options are right: they are given to it with a query without rows. */
function checkOptions(
  executor: SessionExecutor,
  { run, copy, target }: QueryRun,
  done: Done,
  checked: () => void,
): void {
  const { forceQuote } = copy.options;
  const names = forceQuote === 'all' ? [] : forceQuote;
  const columns = names.map((name) => `NULL AS "${name.replaceAll('"', '""')}"`).join(', ');
  const text = `COPY (SELECT ${columns} WHERE false${run.planned.text.slice(copy.queryEnd)}`;
  const shard = target.describedOn;
  const request = { shard, write: false, share: false, rowless: true };
  executor.acquire(request, done, (connection, release) => {
    const exchange = internalExchange((outcome) => {
      release();
      if (outcome.kind === 'ready') checked();
      else if (outcome.kind === 'error') executor.fail(outcome, done);
      else executor.fail(lostInTransaction(shard, outcome.error), done);
    });
    executor.runs(() => connection.cancel(exchange), false);
    connection.send(exchange, [encodeQuery(text)]);
  });
}

function copyRows(executor: SessionExecutor, queryRun: QueryRun, done: Done): void {
  const { run, copy, query, target } = queryRun;
  const { output } = executor;
  const { format, forceQuote } = copy.options;
  let writer: CopyRowWriter | null = null;
  let refused: PgError | null = null;
  let isOver = false;
  const ended = (ok: boolean) => {
    if (isOver) return;
    isOver = true;
    if (refused === null) done(ok);
    else executor.fail(refused, done);
  };
  const portal = new MultiShardPortal(
    executor,
    {
      target,
      statementText: run.padding + ' '.repeat(copy.queryStart) + copy.queryText,
      literalText: (slot) => query.literalText(slot),
      parameters: run.parameters,
      resultFormats: format.kind === 'binary' ? [1] : [],
      wantsDescription: true,
    },
    {
      description: (frame) => {
        const columns = decodeRowDescription(frame, 0, frame.length).map(({ name }) => ({
          name,
          isForceQuoted: forceQuote === 'all' || forceQuote.includes(name),
        }));
        refused = unknownColumn(copy.options, columns);
        if (refused !== null) {
          // Not within a call of the portal.
          queueMicrotask(() => {
            portal.close();
            ended(false);
          });
          return;
        }
        writer = new CopyRowWriter(format, columns);
        output.push(writer.begin());
      },
      rows: (frames) => {
        if (writer !== null) output.push(writer.rows(frames));
      },
      complete: (rows) => {
        if (writer === null) return;
        output.push(writer.end());
        output.push(copyDone);
        output.push(encodeCommandComplete(`COPY ${rows}`));
      },
    },
  );
  portal.fetch(0, (end) => ended(end === 'complete'));
}

/** Of the options that name columns: PostgreSQL refuses what is not one of the query's. */
function unknownColumn(
  { forceQuote }: CopyOptions,
  columns: readonly CopyColumn[],
): PgError | null {
  const names = forceQuote === 'all' ? [] : forceQuote;
  const name = names.find((wanted) => !columns.some((column) => column.name === wanted));
  if (name === undefined) return null;
  return new PgError(SqlState.undefinedColumn, `column "${name}" does not exist`);
}
