import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { analyze } from '../analysis.ts';
import { analyzeStatementWrite } from '../analyze-write.ts';
import { resultRead } from '../intermediate/result-read.ts';
import { routingOf } from '../keys/routing-of.ts';
import type { MultiShardWrite, Plan, Reject, RouteNode, WritePart, WriteStep } from '../plan.ts';
import { collect } from '../plan-multi-shard.ts';
import { refusal, refuse, rejectOf } from '../refuse.ts';
import { rewriteQuery, rewriteWrite } from '../rewrite-query.ts';
import { plainColumn, renamed } from '../scope.ts';
import { StatementContext, type StatementSource } from '../statement-context.ts';
import { noteStatementFacts } from '../statement-facts.ts';
import { plainSelect, target } from '../tree-builders.ts';
import { demandIndependent } from './independent-parts.ts';
import { isOfOneKey } from './is-of-one-key.ts';
import {
  collectNamed,
  isWrite,
  type NamedQuery,
  reads,
  type WithWrites,
  withResultFor,
} from './with-writes.ts';
import { writeRoute } from './write-route.ts';

const oneAtATime = 'Write one after the other, in one transaction.';

/** How a write over several shards is planned that has no writes in its WITH. */
export type PlanPlainWrite = (
  source: StatementSource,
  statement: SqlNode,
) => MultiShardWrite | Reject;

/**
 * Writes in WITH over several shards: done one after the other, what their RETURNING gives is an
 * intermediate result for what follows. Queries of WITH that a write reads come first of all.
 */
export function planWithWrites(
  source: StatementSource,
  { names, statement }: WithWrites,
  planPlain: PlanPlainWrite,
): MultiShardWrite | Reject {
  try {
    const parts: WritePart[] = [];
    const trees: SqlNode[] = [];
    const needed = neededFirst(names);
    let rest = statement;
    let pending = [...names];
    for (let named = pending.shift(); named !== undefined; named = pending.shift()) {
      const { name, query } = named;
      if (!isWrite(query) && !needed.has(name)) continue;
      // A query in front of all writes may read what they write.
      if (isWrite(query) || parts.some(({ kind }) => kind === 'write')) trees.push(query);
      const result = isWrite(query)
        ? addWrite(source, named, planPlain, parts)
        : addQuery(source, named, parts);
      rest = withResultFor(rest, name, result);
      pending = pending.map((other) => ({
        ...other,
        query: withResultFor(other.query, name, result),
      }));
    }
    demandIndependent(source, [...trees, rest]);
    const last = 'SelectStmt' in rest ? lastQuery(source, rest) : planPlain(source, rest);
    if (last.kind === 'reject') return last;
    demandPlainStep(last.step, 'the statement after the writes');
    return { ...last, before: parts, intermediate: source.results.plans };
  } catch (error) {
    if (error instanceof PgError) return rejectOf(error);
    throw error;
  }
}

/** For a statement that no single shard can be asked to run as it stands. */
export function planOfParts(
  command: Extract<Plan, { readonly kind: 'modify' }>['command'],
  multi: MultiShardWrite | Reject,
): Plan {
  if (multi.kind === 'reject') return multi;
  const routing = { kind: 'home', anywhere: false } as const;
  return { kind: 'modify', command, routing, isWhole: false, multi };
}

/** Names that a write reads, itself or by way of others. */
function neededFirst(names: readonly NamedQuery[]): ReadonlySet<string> {
  const needed = new Set<string>();
  for (const { name, query } of names.toReversed()) {
    if (!isWrite(query) && !needed.has(name)) continue;
    for (const other of names) if (reads(query, other.name)) needed.add(other.name);
  }
  return needed;
}

function addQuery(source: StatementSource, named: NamedQuery, parts: WritePart[]): string {
  const result = collectNamed(source, named);
  parts.push({ kind: 'query', reader: readerOf(source, result) });
  return result;
}

/** The name of the result that its RETURNING gives; null when it has none. */
function addWrite(
  source: StatementSource,
  named: NamedQuery,
  planPlain: PlanPlainWrite,
  parts: WritePart[],
): string | null {
  const step = stepOf(source, named, planPlain);
  const returned = returnedAs(source, named);
  const number = source.results.plans.length - 1;
  const result = returned === null ? null : { number, reader: readerOf(source, returned) };
  parts.push({ kind: 'write', step, result });
  return returned;
}

function readerOf(source: StatementSource, result: string): RouteNode {
  const select = allOf(result);
  const query = rewriteQuery(new StatementContext(source, { SelectStmt: select }), select);
  if (query.kind === 'reject') throw refusal(query.message, query.hint ?? oneAtATime);
  return writeRoute(query);
}

function allOf(result: string): SelectNode {
  return {
    ...plainSelect,
    targetList: [target({ ColumnRef: { fields: [{ A_Star: {} }] } })],
    fromClause: [resultRead(result)],
  };
}

function stepOf(
  source: StatementSource,
  { name, query }: NamedQuery,
  planPlain: PlanPlainWrite,
): WriteStep {
  const context = new StatementContext(source, query);
  noteStatementFacts(context, query);
  const facts = analyzeStatementWrite(context, query);
  const routing = routingOf(context);
  if (context.effect !== null)
    throw refusal(
      'session functions in a write of WITH over several shards are not supported',
      oneAtATime,
    );
  const kind = facts.relation?.sharding.kind;
  if (facts.isWhole && isOfOneKey(routing) && kind !== 'reference') {
    const text = rewriteWrite(context, query);
    if (text.kind === 'reject') throw refusal(text.message, text.hint ?? oneAtATime);
    return { kind: 'own-rows', routing, route: writeRoute(text) };
  }
  const plan = planPlain(source, query);
  if (plan.kind === 'reject') throw refusal(plan.message, plan.hint ?? oneAtATime);
  demandPlainStep(plan.step, `"${name}" of WITH`);
  return plan.step;
}

function demandPlainStep({ kind }: WriteStep, what: string): void {
  if (kind === 'own-rows' || kind === 'listed-rows' || kind === 'collected-rows') return;
  throw refusal(
    `${what}, which writes a reference table or changes keys, over several shards is not supported`,
    oneAtATime,
  );
}

/** A query over the same tables says what columns there are, and of which types. */
function returnedAs(source: StatementSource, { query, columnNames }: NamedQuery): string | null {
  const { relation, others, returning } = writeOf(query);
  if (returning.length === 0) return null;
  assert(relation !== undefined, 'a write without a table');
  const select = {
    ...plainSelect,
    targetList: [...returning],
    fromClause: [{ RangeVar: { ...relation, inh: true } }, ...others],
  };
  const { context, block } = analyze(source, select);
  const whole = rewriteQuery(context, select);
  if (block.open || whole.kind === 'reject') {
    throw refusal(
      'this RETURNING of a write in WITH over several shards is not supported',
      oneAtATime,
    );
  }
  const columns = renamed(
    block.columns.map(({ name }) => plainColumn(name)),
    columnNames,
  );
  const multi = refuse('these rows are what the write returns');
  const routing = { kind: 'any' } as const;
  const names = columns.map(({ name }) => name);
  return source.results.add({ columns: names, advances: false, routing, whole, multi }, columns);
}

function writeOf(query: SqlNode) {
  if ('InsertStmt' in query) {
    const { relation, returningClause } = query.InsertStmt;
    return { relation, others: [], returning: returningClause?.exprs ?? [] };
  }
  if ('UpdateStmt' in query) {
    const { relation, fromClause = [], returningClause } = query.UpdateStmt;
    return { relation, others: fromClause, returning: returningClause?.exprs ?? [] };
  }
  if ('DeleteStmt' in query) {
    const { relation, usingClause = [], returningClause } = query.DeleteStmt;
    return { relation, others: usingClause, returning: returningClause?.exprs ?? [] };
  }
  throw refusal('MERGE in WITH over several shards is not supported', oneAtATime);
}

/** What is read when all has been written. */
function lastQuery(
  source: StatementSource,
  statement: Extract<SqlNode, { readonly SelectStmt: unknown }>,
): MultiShardWrite | Reject {
  let select = statement.SelectStmt;
  if ((select.lockingClause ?? []).length > 0 || select.intoClause !== undefined) {
    return refuse(
      'FOR UPDATE and INTO after writes in WITH over several shards are not supported',
      oneAtATime,
    );
  }
  let analysis = analyze(source, select);
  if (routingOf(analysis.context).kind === 'by-key') {
    const { block } = analysis;
    const columns = block.columns.map(({ name }) => plainColumn(name));
    const result = block.open ? null : collect(source, { kind: 'query', select, columns });
    if (result === null) {
      return (
        analysis.context.multiRefusal ??
        refuse('this query after writes in WITH over several shards is not supported', oneAtATime)
      );
    }
    select = allOf(result);
    analysis = analyze(source, select);
  }
  const query = rewriteQuery(analysis.context, select);
  if (query.kind === 'reject') return query;
  const step = { kind: 'own-rows', routing: routingOf(analysis.context), route: writeRoute(query) };
  return {
    kind: 'write',
    before: [],
    intermediate: source.results.plans,
    step: { ...step, kind: 'own-rows' },
    isUnconditional: false,
    returnsRows: true,
    changesRows: false,
  };
}
