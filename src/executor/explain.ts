import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Plan } from '../planner/plan.ts';
import { encodeCommandComplete } from '../protocol/command-complete.ts';
import { DataRowReader, encodeDataRow } from '../protocol/data-row.ts';
import { encodeQuery } from '../protocol/query-message.ts';
import { explained, type ShardExplain } from './explained.ts';
import { internalExchange } from './internal-exchange.ts';
import { queryPlanDescription } from './query-plan-description.ts';
import type { SessionExecutor } from './session-executor.ts';
import type { StatementRun } from './statement-run.ts';

type Done = (ok: boolean) => void;
type ExplainPlan = Extract<Plan, { kind: 'explain' }>;

const dataRow = 0x44; // D
const rowDescription = 0x54; // T

/**
 * EXPLAIN: pgweave's own plan, then the plan of every shard that would take part. With a FORMAT
 * for machines a single shard's answer comes alone, unchanged.
 */
export function runExplain(
  executor: SessionExecutor,
  run: StatementRun,
  plan: ExplainPlan,
  done: Done,
): void {
  const { planner } = executor.world;
  const inner = explained(executor, planner, plan, run.parameters);
  if (inner.kind === 'error') {
    executor.fail(inner.error, done);
    return;
  }
  const forMachines = /\bformat\b\s*(=\s*)?(?!text\b)\w+/i.test(plan.optionsText);
  if (forMachines && inner.queries.length > 1) {
    const message = 'EXPLAIN over several shards has FORMAT TEXT only';
    executor.fail(new PgError(SqlState.featureNotSupported, message), done);
    return;
  }
  const lines = forMachines ? [] : [...inner.lines];
  const parts: Buffer[] = run.describe && !forMachines ? [queryPlanDescription] : [];
  const next = (index: number) => {
    const query = inner.queries[index];
    if (query === undefined) {
      const frames = lines.map((line) => encodeDataRow([line]));
      executor.output.push(Buffer.concat([...parts, ...frames]));
      executor.succeed(encodeCommandComplete('EXPLAIN'), done);
      return;
    }
    if (!forMachines) lines.push(`On shard ${query.shard}:`);
    collect(executor, query, done, (rows, description) => {
      if (forMachines && run.describe && description !== null) parts.push(description);
      lines.push(...(forMachines ? rows : rows.map((row) => `  ${row}`)));
      next(index + 1);
    });
  };
  next(0);
}

function collect(
  executor: SessionExecutor,
  query: ShardExplain,
  done: Done,
  collected: (rows: readonly string[], description: Buffer | null) => void,
): void {
  const { shard, write, sql } = query;
  executor.acquire({ shard, write, share: false }, done, (connection, release) => {
    const rows: string[] = [];
    let description: Buffer | null = null;
    const reader = new DataRowReader();
    const exchange = internalExchange(
      (outcome) => {
        release();
        if (outcome.kind === 'ready') collected(rows, description);
        else executor.fail(outcome.kind === 'lost' ? outcome.error : outcome, done);
      },
      (code, chunk, start, end) => {
        if (code === rowDescription) description = Buffer.from(chunk.subarray(start, end));
        if (code !== dataRow) return;
        reader.open(chunk, start, end);
        reader.next();
        const { valueStart, valueLength } = reader;
        rows.push(chunk.toString('utf8', valueStart, valueStart + Math.max(0, valueLength)));
      },
    );
    executor.cancelWith(() => connection.cancel(exchange));
    connection.send(exchange, [encodeQuery(sql)]);
  });
}
