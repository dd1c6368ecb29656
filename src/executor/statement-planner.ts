import { assert, unreachable } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { type ResolvedRouting, resolveRouting } from '../planner/keys/resolve-routing.ts';
import type {
  IntermediateResult,
  MultiShardPath,
  MultiShardPlan,
  MultiShardWrite,
  Plan,
  PlanNode,
  Reject,
  Routing,
  ShardQuery,
} from '../planner/plan.ts';
import { PlanCache } from '../planner/plan-cache.ts';
import { planStatement } from '../planner/plan-statement.ts';
import type { Schema } from '../planner/schema.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { ShardMap } from '../sharding/shard-map.ts';
import type { LexedStatement } from '../sql/lexed-statement.ts';
import { lexStatements } from '../sql/lexer.ts';
import { LearnedStatements } from './intermediate/learned-statements.ts';
import { PathChoices } from './intermediate/path-choices.ts';
import { resultsOf } from './intermediate/query-text.ts';
import { KeptQueries } from './kept-queries.ts';
import { PlannedStatement } from './planned-statement.ts';
import { rejection } from './rejection.ts';
import type { BoundParameters } from './select/multi-shard-select.ts';
import { SequenceDemand } from './session/sequence-values.ts';
import type { TemporaryRelations } from './session/temporary-relations.ts';
import { ShardTraffic } from './shard-traffic.ts';
import type { IntermediateRun, MultiShardTarget, PathRun, Target } from './target.ts';
import { utilityTarget } from './utility/utility-target.ts';
import { writeTarget } from './write/write-target.ts';

/** What the session brings to planning. */
export type PlanningSession = {
  readonly searchPath: readonly string[];
  /** What the open transaction, which has changed tables, sees; null: what everybody does. */
  readonly blockSchema: Schema | null;
  /** null when it is the server's own. */
  readonly timeZone: string | null;
  readonly standardConformingStrings: boolean;
  /** null: the session has none. */
  readonly temporary: TemporaryRelations | null;
  /** Shards that the open transaction has begun on. */
  readonly participants: ReadonlyMap<ShardId, unknown>;
  /** The only one that it may ask for rows; null while, or because, any may. */
  readonly snapshotShard: ShardId | null;
  /** The shard whose primary has the least to do for this worker; the first of equal ones. */
  leastLoaded(shards: readonly ShardId[]): ShardId;
  /**
   * A server to be tried before a shard's for what reads no table; null: there is none, or the
   * statement is in a transaction.
   */
  combineServer(): ShardId | null;
};

const emptyLexed: LexedStatement = {
  start: 0,
  end: 0,
  fingerprint: '',
  literals: [],
  parameterCount: 0,
};

/** From text to target: lexer, plan cache, routing. One for all sessions of a worker. */
export class StatementPlanner {
  readonly #plans: PlanCache;
  /** Goes with its plan: a new plan starts without a history. */
  readonly #traffic = new WeakMap<Plan, ShardTraffic>();
  #shardMap: ShardMap;
  #schema: Schema;
  #turn = 0;
  /** About statements with intermediate results. */
  readonly learned = new LearnedStatements();
  readonly choices = new PathChoices();
  readonly keptQueries = new KeptQueries();
  readonly sequenceDemand = new SequenceDemand();
  readonly emptyStatement: PlannedStatement;

  constructor(parts: {
    readonly shardMap: ShardMap;
    readonly schema: Schema;
    readonly cacheEntries: number;
  }) {
    this.#shardMap = parts.shardMap;
    this.#schema = parts.schema;
    this.#plans = new PlanCache(parts.cacheEntries);
    const basis = { schema: parts.schema, searchPath: [] };
    this.emptyStatement = new PlannedStatement('', emptyLexed, { kind: 'empty' }, null, [], basis);
  }

  get shardMap(): ShardMap {
    return this.#shardMap;
  }

  get schema(): Schema {
    return this.#schema;
  }

  /** The catalogue as the session sees it. */
  schemaOf({ temporary, blockSchema }: Pick<PlanningSession, 'temporary' | 'blockSchema'>): Schema {
    const schema = blockSchema ?? this.#schema;
    return temporary === null ? schema : temporary.schema(schema, this.#shardMap);
  }

  /** From now on. Prepared statements are planned again when they are next used. */
  replace(shardMap: ShardMap, schema: Schema): void {
    this.#shardMap = shardMap;
    this.#schema = schema;
    this.#plans.clear();
  }

  /** The statements of a query string, empty ones left out. */
  planAll(session: PlanningSession, text: string): readonly PlannedStatement[] {
    const { standardConformingStrings } = session;
    const planned: PlannedStatement[] = [];
    for (const lexed of lexStatements(text, { standardConformingStrings })) {
      const statement = this.#plan(session, text, lexed);
      if (statement.plan.kind !== 'empty') planned.push(statement);
    }
    return planned;
  }

  /**
   * The statement as it is planned now: PostgreSQL, too, looks names up again when tables or
   * search_path have changed since Parse.
   */
  upToDate(session: PlanningSession, planned: PlannedStatement): PlannedStatement {
    const { schema, searchPath } = planned.basis;
    if (planned.plan.kind === 'empty') return planned;
    if (schema === this.schemaOf(session) && searchPath === session.searchPath) return planned;
    return this.#plan(session, planned.source.text, planned.source.lexed);
  }

  /** Only for plans of kind select, modify and utility. */
  targetOf(
    session: PlanningSession,
    planned: PlannedStatement,
    parameters: BoundParameters,
  ): Target {
    if (planned.source.lexed.parameterCount <= parameters.values.length) {
      return this.genericTarget(session, planned, parameters);
    }
    // Any shard says as PostgreSQL does what is missing.
    return { kind: 'shard', shard: this.#anyOf(session, planned.candidates), write: false };
  }

  /** As `targetOf`, but parameters may be missing: they could be anything. */
  genericTarget(
    session: PlanningSession,
    planned: PlannedStatement,
    parameters: BoundParameters,
  ): Target {
    const { plan } = planned;
    switch (plan.kind) {
      case 'utility':
        return utilityTarget(plan, this.#shardMap);
      case 'select':
      case 'modify': {
        const resolved = this.resolve(session, planned, plan.routing, parameters);
        return this.#target(session, planned, resolved, parameters);
      }
      default:
        return internalError(`a ${plan.kind} statement has no target`);
    }
  }

  /** Where a statement goes with these values. */
  resolve(
    session: PlanningSession,
    planned: PlannedStatement,
    routing: Routing,
    parameters: BoundParameters,
  ): ResolvedRouting {
    const { text, lexed } = planned.source;
    const { timeZone } = session;
    const values = { text, literals: lexed.literals, timeZone, ...parameters };
    return resolveRouting(routing, values, this.#shardMap);
  }

  #plan(session: PlanningSession, text: string, lexed: LexedStatement): PlannedStatement {
    const { searchPath, temporary, blockSchema } = session;
    const schema = this.schemaOf(session);
    const { tables } = this.#shardMap;
    const request = { lexed, text, schema, tables, searchPath };
    const plan =
      temporary === null && blockSchema !== null
        ? planStatement(request) // Nobody else sees these tables.
        : (temporary === null ? this.#plans : temporary.plans).plan(request);
    const traffic = this.#trafficOf(plan);
    const basis = { schema, searchPath };
    return new PlannedStatement(text, lexed, plan, traffic, this.#candidates(plan), basis);
  }

  #trafficOf(plan: Plan): ShardTraffic | null {
    if (plan.kind !== 'select' || !plan.readOnly) return null;
    let traffic = this.#traffic.get(plan);
    if (traffic === undefined) {
      traffic = new ShardTraffic();
      this.#traffic.set(plan, traffic);
    }
    return traffic;
  }

  /** Shards that have all the tables of the statement; none: no shard is asked. */
  #candidates(plan: Plan): readonly ShardId[] {
    const { home, shards, distributions } = this.#shardMap;
    switch (plan.kind) {
      case 'utility':
      case 'recalled':
        return [home];
      case 'select':
      case 'modify':
        if (plan.routing.kind === 'home') {
          return plan.routing.anywhere
            ? [home, ...shards.filter((shard) => shard !== home)]
            : [home];
        }
        if (plan.routing.kind === 'any') return shards;
        if (plan.routing.withHome) return [home];
        if (plan.kind === 'select' && plan.expandsViews) return [home];
        return distributions.get(plan.routing.groups[0]?.distribution ?? '')?.shards ?? shards;
      case 'copy':
      case 'transaction':
      case 'setting':
      case 'cursor':
      case 'prepared':
      case 'explain':
      case 'empty':
      case 'reject':
        return [];
      default:
        return unreachable(plan);
    }
  }

  #target(
    session: PlanningSession,
    planned: PlannedStatement,
    resolved: ResolvedRouting,
    parameters: BoundParameters,
  ): Target {
    const { plan } = planned;
    assert(plan.kind === 'select' || plan.kind === 'modify', 'a statement that is routed');
    const write = plan.kind === 'modify' || !plan.readOnly;
    const isWhole = plan.kind === 'modify' ? plan.isWhole : !plan.expandsViews;
    if (!isWhole && resolved.kind !== 'error') {
      return this.#multiShard(session, planned, plan.multi, parameters);
    }
    switch (resolved.kind) {
      case 'single': {
        const stays = plan.routing.kind === 'home' && plan.routing.anywhere;
        const shard = (stays ? session.snapshotShard : null) ?? resolved.shard;
        return { kind: 'shard', shard, write };
      }
      case 'none':
      case 'any':
        return { kind: 'shard', shard: this.#anyOf(session, this.#candidates(plan)), write };
      case 'many':
        return this.#multiShard(session, planned, plan.multi, parameters);
      case 'error':
        return { kind: 'error', error: resolved.error };
      default:
        return unreachable(resolved);
    }
  }

  #multiShard(
    session: PlanningSession,
    planned: PlannedStatement,
    plan: MultiShardPlan | MultiShardWrite | Reject,
    parameters: BoundParameters,
  ): Target {
    if (plan.kind === 'reject') return { kind: 'error', error: rejection(plan) };
    const { home } = this.#shardMap;
    const hasViews = planned.plan.kind === 'select' && planned.plan.expandsViews;
    const shardsOf = (routing: Routing) =>
      this.#shardsOf(session, this.resolve(session, planned, routing, parameters));
    try {
      const anyShard = () => this.#leastLoaded(session);
      if (plan.kind === 'write') {
        const intermediate = plan.intermediate.map((result) =>
          intermediateRun(result, shardsOf, anyShard),
        );
        return writeTarget(plan, intermediate, this.#shardMap, shardsOf);
      }
      const { run, choice } = this.#path(plan, (path) => pathRun(path, shardsOf, anyShard));
      const isKnownAtHome = run.intermediate.length > 0 || hasViews;
      const describedOn = isKnownAtHome ? home : (run.shards[0] ?? home);
      const locks = planned.plan.kind === 'select' && !planned.plan.readOnly;
      return { kind: 'multi-shard', ...run, locks, describedOn, choice };
    } catch (error) {
      if (error instanceof PgError) return { kind: 'error', error };
      throw error;
    }
  }

  /** The path that is taken as far as that is known now. */
  #path(
    plan: MultiShardPlan,
    runOf: (path: MultiShardPath) => PathRun,
  ): { readonly run: PathRun } & Pick<MultiShardTarget, 'choice'> {
    if (plan.otherPaths.length === 0) return { run: runOf(plan), choice: null };
    const made = this.choices.find(plan);
    if (made !== null) {
      const run = runOf(plan.otherPaths[made.path - 1] ?? plan);
      return { run, choice: { kind: 'made', choice: made } };
    }
    const run = runOf(plan);
    const paths = [run, ...plan.otherPaths.map(runOf)];
    return { run, choice: { kind: 'open', plan, paths } };
  }

  #shardsOf(session: PlanningSession, resolved: ResolvedRouting): readonly ShardId[] {
    switch (resolved.kind) {
      case 'single':
        return [resolved.shard];
      case 'many':
        return resolved.shards;
      case 'none':
      case 'any':
        return [this.#anyOf(session, this.#shardMap.shards)];
      case 'error':
        throw resolved.error;
      default:
        return unreachable(resolved);
    }
  }

  /** For work that any server could do: one that the transaction is on already, or an idle one. */
  #leastLoaded(session: PlanningSession): ShardId {
    const { shards } = this.#shardMap;
    const { snapshotShard, participants } = session;
    if (snapshotShard !== null) return snapshotShard;
    const known = shards.filter((shard) => participants.has(shard));
    if (known.length > 0) return session.leastLoaded(known);
    this.#turn = (this.#turn + 1) % Math.max(1, shards.length);
    return session.leastLoaded([...shards.slice(this.#turn), ...shards.slice(0, this.#turn)]);
  }

  /** One that the transaction is on already, or the next in turn. */
  #anyOf(session: PlanningSession, shards: readonly ShardId[]): ShardId {
    const { snapshotShard } = session;
    if (snapshotShard !== null && shards.includes(snapshotShard)) return snapshotShard;
    const known = shards.find((shard) => session.participants.has(shard));
    if (known !== undefined) return known;
    this.#turn = (this.#turn + 1) % Math.max(1, shards.length);
    return shards[this.#turn] ?? this.#shardMap.home;
  }
}

function pathRun(
  { intermediate: results, last }: MultiShardPath,
  shardsOf: (routing: Routing) => readonly ShardId[],
  anyShard: () => ShardId,
): PathRun {
  const intermediate = results.map((result) => intermediateRun(result, shardsOf, anyShard));
  const isGathered = intermediate.length > 0;
  const { routing, root } = last;
  const isMovable = routing.kind === 'any' || (routing.kind === 'home' && routing.anywhere);
  const runsAnywhere = isGathered && isMovable;
  const combines = isGathered && isOfNoServer(routing);
  const shards = runsAnywhere ? [anyShard()] : shardsOf(routing);
  return { intermediate, shards, root, runsAnywhere, combines };
}

function intermediateRun(
  { columns, advances, routing, whole, multi }: IntermediateResult,
  shardsOf: (routing: Routing) => readonly ShardId[],
  anyShard: () => ShardId,
): IntermediateRun {
  const combines = isOfNoServer(routing) && resultsOf(whole).read.size > 0;
  const shards = combines ? [anyShard()] : shardsOf(routing);
  const result = { columns, advances, combines, whole };
  if (shards.length === 1) return { ...result, shards, root: alone(whole, columns.length) };
  if (multi.kind === 'reject') throw rejection(multi);
  return { ...result, shards: shardsOf(multi.routing), root: multi.root };
}

/** No table, and nothing that servers could answer differently. */
function isOfNoServer(routing: Routing): boolean {
  return routing.kind === 'home' && routing.anywhere;
}

/** The query of one shard, its answer taken as it is. */
function alone(query: ShardQuery, visibleCount: number): PlanNode {
  return { kind: 'append', input: { kind: 'route', query, visibleCount, hiddenCount: 0 } };
}

function internalError(message: string): Target {
  return { kind: 'error', error: new PgError(SqlState.internalError, message) };
}
