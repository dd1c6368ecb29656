import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { Plan } from '../../planner/plan.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { encodeDataRow } from '../../protocol/data-row.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { StatementRun } from '../statement-run.ts';
import { analyzeWrite } from '../write/analyze-write.ts';
import { collectPlan } from './collect-plan.ts';
import { choosePathToExplain, explainGathered } from './explain-gathered.ts';
import { explained } from './explained.ts';
import { queryPlanDescription } from './query-plan-description.ts';

type Done = (ok: boolean) => void;
type ExplainPlan = Extract<Plan, { kind: 'explain' }>;

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
  if (inner.gathered?.target.choice?.kind === 'open') {
    choosePathToExplain(executor, inner.gathered, done, () =>
      runExplain(executor, run, plan, done),
    );
    return;
  }
  const forMachines = /\bformat\b\s*(=\s*)?(?!text\b)\w+/i.test(plan.optionsText);
  if (
    forMachines &&
    (inner.queries.length > 1 || inner.gathered !== null || inner.write !== null)
  ) {
    const message = 'EXPLAIN over several shards has FORMAT TEXT only';
    executor.fail(new PgError(SqlState.featureNotSupported, message), done);
    return;
  }
  const lines = forMachines ? [] : [...inner.lines];
  const parts: Buffer[] = run.describe && !forMachines ? [queryPlanDescription] : [];
  const answer = () => {
    const frames = lines.map((line) => encodeDataRow([line]));
    executor.output.push(Buffer.concat([...parts, ...frames]));
    executor.succeed(encodeCommandComplete('EXPLAIN'), done);
  };
  if (inner.gathered !== null) {
    explainGathered(executor, inner.gathered, plan.analyze, done, (more) => {
      lines.push(...more);
      answer();
    });
    return;
  }
  if (inner.write !== null) {
    analyzeWrite(executor, inner.write, done, (more) => {
      lines.push(...more);
      answer();
    });
    return;
  }
  const next = (index: number) => {
    const query = inner.queries[index];
    if (query === undefined) {
      answer();
      return;
    }
    if (!forMachines) lines.push(`On shard ${query.shard}:`);
    const { shard, write, sql } = query;
    const question = { shard, write, messages: [encodeQuery(sql)] };
    collectPlan(executor, question, done, (rows, description) => {
      if (forMachines && run.describe && description !== null) parts.push(description);
      lines.push(...(forMachines ? rows : rows.map((row) => `  ${row}`)));
      next(index + 1);
    });
  };
  next(0);
}
