import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { isCombineId } from '../../config/combine-id.ts';
import { explainNode } from '../../planner/explain-plan.ts';
import { explainRouting } from '../../planner/explain-routing.ts';
import type { Plan } from '../../planner/plan.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { queryOf } from '../intermediate/needed-results.ts';
import { queryText } from '../intermediate/query-text.ts';
import type { PlannedStatement } from '../planned-statement.ts';
import { rejection } from '../rejection.ts';
import type { BoundParameters } from '../select/multi-shard-select.ts';
import { effectOf } from '../session/session-effects.ts';
import type { PlanningSession, StatementPlanner } from '../statement-planner.ts';
import type { MultiShardTarget, Target, UtilityTarget, WriteTarget } from '../target.ts';
import type { AnalyzedWrite } from '../write/analyze-write.ts';
import { explainedWrite } from '../write/explain-write.ts';

export type ShardExplain = {
  readonly shard: ShardId;
  readonly sql: string;
  /** EXPLAIN ANALYZE of a write. */
  readonly write: boolean;
};

export type GatheredExplain = {
  readonly planned: PlannedStatement;
  readonly target: MultiShardTarget;
  /** The same with the server that combines, if there is one, where it would run. */
  readonly placed: MultiShardTarget;
  /** EXPLAIN and its options, to be put in front of a text. */
  readonly prefix: string;
};

/** pgweave's part of an EXPLAIN, and what to ask the shards for theirs. */
export type Explained =
  | {
      readonly kind: 'explained';
      readonly lines: readonly string[];
      readonly queries: readonly ShardExplain[];
      /** When the texts are known only with the results that they read: then there are no `queries`. */
      readonly gathered: GatheredExplain | null;
      /** A write over several shards that is to be done: then there are no `queries` either. */
      readonly write: AnalyzedWrite | null;
    }
  | { readonly kind: 'error'; readonly error: PgError };

type ExplainPlan = Extract<Plan, { kind: 'explain' }>;

/** Plans the statement inside an EXPLAIN as it would be planned by itself. */
export function explained(
  session: PlanningSession,
  planner: StatementPlanner,
  explain: ExplainPlan,
  parameters: BoundParameters,
): Explained {
  const [planned, ...more] = planner.planAll(session, explain.statementText);
  if (planned === undefined || more.length > 0) return failed('EXPLAIN takes one statement');
  const { plan } = planned;
  if (plan.kind === 'reject') return { kind: 'error', error: rejection(plan) };
  if (plan.kind !== 'select' && plan.kind !== 'modify' && plan.kind !== 'utility') {
    return failed('EXPLAIN is not possible for this kind of statement');
  }
  if (explain.analyze && effectOf(plan) !== null) {
    return failed('EXPLAIN ANALYZE of a statement that changes the session is not supported');
  }
  if (parameters.values.length > 0) return failed('EXPLAIN with parameters is not supported');
  const target = planner.genericTarget(session, planned, parameters);
  if (target.kind === 'error') return { kind: 'error', error: target.error };
  if (target.kind === 'utility') {
    return failed('EXPLAIN is not possible for this kind of statement');
  }
  const routing = plan.kind === 'utility' ? ['Home shard'] : explainRouting(plan.routing);
  const prefix = explain.optionsText === '' ? 'EXPLAIN ' : `EXPLAIN ${explain.optionsText} `;
  if (target.kind === 'write') return ofWrite(session, planned, target, explain.analyze, prefix);
  const server = session.combineServer();
  const placed = target.kind === 'multi-shard' ? placedOn(server, target) : target;
  const lines = [
    ...headline(placed, planner.shardMap.shards.length),
    ...indent(routing),
    ...steps(placed),
  ];
  if (target.kind === 'multi-shard' && target.intermediate.length > 0) {
    const gathered = { planned, target, placed: placedOn(server, target), prefix };
    return { kind: 'explained', lines, queries: [], gathered, write: null };
  }
  const shards = target.kind === 'shard' ? [target.shard] : target.shards;
  const sql = prefix + shardText(planned, target);
  const write = explain.analyze && target.kind === 'shard' && target.write;
  const queries = shards.map((shard) => ({ shard, sql, write }));
  return { kind: 'explained', lines, queries, gathered: null, write: null };
}

function ofWrite(
  { timeZone }: PlanningSession,
  planned: PlannedStatement,
  target: WriteTarget,
  analyze: boolean,
  prefix: string,
): Explained {
  try {
    const { lines, texts } = explainedWrite(planned, target, timeZone);
    if (analyze) {
      const write = { planned, target, prefix };
      return { kind: 'explained', lines, queries: [], gathered: null, write };
    }
    const queries = texts.map(({ shard, sql }) => ({ shard, sql: prefix + sql, write: false }));
    return { kind: 'explained', lines, queries, gathered: null, write: null };
  } catch (error) {
    if (error instanceof PgError) return { kind: 'error', error };
    throw error;
  }
}

function placedOn(server: ShardId | null, target: MultiShardTarget): MultiShardTarget {
  if (server === null) return target;
  const intermediate = target.intermediate.map((result) =>
    result.combines ? { ...result, shards: [server] } : result,
  );
  return { ...target, intermediate, shards: target.combines ? [server] : target.shards };
}

/** What runs as one query, or is refused. */
type ReadTarget = Exclude<Target, WriteTarget | UtilityTarget>;

function headline(target: ReadTarget, shardsCount: number): readonly string[] {
  if (target.kind === 'shard') return [`pgweave: one shard, ${target.shard}`];
  if (target.kind === 'error') return [];
  const { shards, intermediate } = target;
  const names = shards.join(', ');
  const last = shards.some(isCombineId)
    ? names
    : `${shards.length} of ${shardsCount} shards: ${names}`;
  return [`pgweave: ${intermediate.length === 0 ? '' : 'intermediate results, then '}${last}`];
}

function steps(target: ReadTarget): readonly string[] {
  if (target.kind !== 'multi-shard') return [];
  const results = target.intermediate.flatMap(({ columns, shards, root }, number) => [
    `Intermediate result ${number} (${columns.join(', ')}), on ${shards.join(', ')}`,
    ...indent(explainNode(root)),
  ]);
  const last = explainNode(target.root);
  return indent(estimated(target)).concat(
    indent(results.length === 0 ? last : [...results, 'Then', ...indent(last)]),
  );
}

/** What has decided between the plan's paths. */
function estimated({ choice }: MultiShardTarget): readonly string[] {
  if (choice === null || choice.kind === 'open') return [];
  const { path, estimates } = choice.choice;
  return estimates.map((estimate, index) => {
    const cost =
      estimate === null
        ? 'unknown'
        : `${Math.round(estimate.rows)} rows, ${Math.round(estimate.bytes)} bytes`;
    return `Path ${index}, estimated to collect: ${cost}${index === path ? ' (taken)' : ''}`;
  });
}

function shardText(planned: PlannedStatement, target: ReadTarget): string {
  if (target.kind !== 'multi-shard') return planned.text;
  return queryText(queryOf(target.root), {
    statementText: planned.text,
    literalText: (slot) => planned.literalText(slot),
  });
}

function indent(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`);
}

function failed(message: string): Explained {
  return { kind: 'error', error: new PgError(SqlState.featureNotSupported, message) };
}
