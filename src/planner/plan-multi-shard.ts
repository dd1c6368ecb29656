import { assert } from '../base/assert.ts';
import { type Analysis, analyze } from './analysis.ts';
import type { Block } from './block.ts';
import type { QueryParts } from './combine/query-parts.ts';
import { splitQuery } from './combine/split-query.ts';
import { splitUnion } from './combine/split-union.ts';
import { Anchors } from './intermediate/anchors.ts';
import { nextParts } from './intermediate/next-parts.ts';
import type { Part } from './intermediate/part.ts';
import { stableValues } from './intermediate/stable-values.ts';
import { IntermediateResults } from './intermediate-results.ts';
import { routingOf } from './keys/routing-of.ts';
import { isOnePass, isUnionOfShards, multiShardSelect } from './one-pass/multi-shard-select.ts';
import { routeOf } from './one-pass/rows-of-shards.ts';
import type { MultiShardPath, MultiShardPlan, Reject, RoutedNode, ShardQuery } from './plan.ts';
import { refuse } from './refuse.ts';
import { receivedQuery, rewriteQuery } from './rewrite-query.ts';
import { plainColumn } from './scope.ts';
import type { StatementContext, StatementSource } from './statement-context.ts';

/** Rewriting ends when everything has been shipped; a statement that needs more steps is refused. */
const stepsMax = 60;

/**
 * How several shards answer a SELECT. When one pass over the shards cannot, parts of it are asked for
 * first and take part as intermediate results, until what is left can be answered: in one pass over
 * the shards of the tables that stay, or by one server when none do.
 */
export function planMultiShard(analysis: Analysis): MultiShardPlan | Reject {
  const direct = onShards(analysis);
  if (direct.kind !== 'reject') {
    return { kind: 'multi-shard', intermediate: [], last: direct, otherPaths: [] };
  }
  const path = pathOf(analysis);
  if ('kind' in path) return path;
  return { kind: 'multi-shard', ...path, otherPaths: otherPaths(analysis, path) };
}

function pathOf(analysis: Analysis): MultiShardPath | Reject {
  const { results } = analysis.context.source;
  const last = routed(withStableValues(analysis));
  return last.kind === 'reject' ? last : { intermediate: results.plans, last };
}

/** Each leaves one class of tables on its shards that the first path moves. */
function otherPaths(
  { context: { source }, select }: Analysis,
  first: MultiShardPath,
): readonly MultiShardPath[] {
  const seen = new Set([JSON.stringify(first)]);
  return source.anchors.alternatives.flatMap((preferred) => {
    const results = new IntermediateResults();
    const anchors = new Anchors(preferred);
    const path = pathOf(analyze({ ...source, results, anchors }, select));
    if ('kind' in path || seen.has(JSON.stringify(path))) return [];
    seen.add(JSON.stringify(path));
    return [path];
  });
}

function routed(analysis: Analysis): RoutedNode | Reject {
  const { source } = analysis.context;
  let current = analysis;
  let reason: Reject | null = null;
  for (let step = 0; step < stepsMax; step += 1) {
    const routing = routingOf(current.context);
    if (routing.kind !== 'by-key') return onOneServer(current);
    const answer = onShards(current);
    if (answer.kind !== 'reject') return answer;
    reason ??= answer;
    const forbidden = current.context.neverMulti;
    if (forbidden !== null) return forbidden;
    const next = combineOne(source, current) ?? shipOne(source, current);
    if (next === null) return reason;
    current = next;
  }
  return reason ?? refuse('the statement is too complex for several shards');
}

/** now() and its kin are one value for all shards. */
export function withStableValues(analysis: Analysis): Analysis {
  const { source } = analysis.context;
  const values = stableValues(analysis.select);
  if (values === null) return analysis;
  const { select, columns } = values;
  const name = collect(source, { kind: 'query', select, columns: columns.map(plainColumn) });
  return name === null ? analysis : analyze(source, values.replace(name));
}

/** One pass over the shards. */
function onShards({ context, block }: Analysis): RoutedNode | Reject {
  const root = multiShardSelect(context, block);
  return root.kind === 'reject' ? root : { kind: 'routed', routing: routingOf(context), root };
}

/** All rows of several shards have come in: one PostgreSQL runs what is left. */
function onOneServer({ context, select, block }: Analysis): RoutedNode | Reject {
  return asItIs(context, block, receivedQuery(context, select));
}

/** The query's own rows are the answer. */
function asItIs(
  context: StatementContext,
  block: Block,
  query: ShardQuery | Reject,
): RoutedNode | Reject {
  if (query.kind === 'reject') return query;
  const input = routeOf(query, block.columns.length, 0);
  return { kind: 'routed', routing: routingOf(context), root: { kind: 'append', input } };
}

/**
 * What the shards do with their own rows, and what one PostgreSQL does with those of all; null when
 * the rows of FROM do not each lie on one shard, or the query cannot be cut.
 */
function combineOne(source: StatementSource, { context, block }: Analysis): Analysis | null {
  const name = source.results.nextName;
  const parts = cut(context, block, name);
  if (parts === null) return null;
  const columns = parts.columns.map(plainColumn);
  const collected = collect(source, { kind: 'partial', select: parts.partial, columns });
  if (collected === null) return null;
  assert(collected === name, 'the result that the query was cut for');
  return analyze(source, parts.final);
}

function cut(context: StatementContext, block: Block, resultName: string): QueryParts | null {
  const { body } = block;
  if (isUnionOfShards(context, block)) return splitUnion(block, resultName);
  if (body.kind !== 'select' || !isOnePass(context, block)) return null;
  return splitQuery(context, body, resultName);
}

/** The statement with one more of its parts replaced by a result; null when none can be. */
export function shipOne(source: StatementSource, analysis: Analysis): Analysis | null {
  for (const part of nextParts(analysis)) {
    const name = collect(source, part);
    if (name !== null) return analyze(source, part.replace(name));
  }
  return null;
}

type Collected = Pick<Part, 'select' | 'columns'> & { readonly kind: Part['kind'] | 'partial' };

const answers = { table: onShards, query: routed, partial: appended } as const;

/** The shards' answers as they are: what is above makes one of them. */
function appended({ context, select, block }: Analysis): RoutedNode | Reject {
  if (context.multiRefusal !== null) return context.multiRefusal;
  return asItIs(context, block, rewriteQuery(context, select));
}

/** Adds an intermediate result to the plan; null when its query cannot be answered. */
export function collect(
  source: StatementSource,
  { kind, select, columns }: Collected,
): string | null {
  const { results } = source;
  const mark = results.plans.length;
  const analysis = analyze(source, select);
  const whole = rewriteQuery(analysis.context, select);
  const routing = routingOf(analysis.context);
  const multi =
    routing.kind === 'by-key'
      ? answers[kind](analysis)
      : refuse('a query of one server needs no other');
  if (whole.kind === 'reject' || (routing.kind === 'by-key' && multi.kind === 'reject')) {
    results.cutTo(mark);
    return null;
  }
  const { advances } = analysis.context;
  const names = columns.map(({ name }) => name);
  return results.add({ columns: names, advances, routing, whole, multi }, columns);
}
