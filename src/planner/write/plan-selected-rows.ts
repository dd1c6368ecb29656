import { assert } from '../../base/assert.ts';
import type { InsertNode, SelectNode, SqlNode } from '../../sql/ast.ts';
import { type Analysis, analyze } from '../analysis.ts';
import { insertedNames, missingKey } from '../analyze-write.ts';
import { resultRead } from '../intermediate/result-read.ts';
import { valueOperand } from '../keys/key-operand.ts';
import { routingOf } from '../keys/routing-of.ts';
import { multiShardSelect } from '../one-pass/multi-shard-select.ts';
import { reference } from '../outputs.ts';
import type { KeyValue, Reject, ShardQuery, WriteStep } from '../plan.ts';
import { collect, planMultiShard } from '../plan-multi-shard.ts';
import { refusal } from '../refuse.ts';
import { rewriteWrite } from '../rewrite-query.ts';
import type { RelationSchema } from '../schema.ts';
import { plainColumn } from '../scope.ts';
import { StatementContext, type StatementSource } from '../statement-context.ts';
import { plainSelect, target } from '../tree-builders.ts';
import { insertAsSelect } from './as-select.ts';
import { keyDefault, selectOf, withKeySelected } from './given-defaults.ts';
import { isOfOneServer, settle } from './settle.ts';
import { stableValuesSelected } from './stable-defaults.ts';
import { writeRoute } from './write-route.ts';

/**
 * INSERT ... SELECT into a distributed table: each shard for itself when the selected rows have the
 * keys of the shard that they are read on; otherwise the rows come in and go out by their keys.
 */
export function planSelectedRows(
  source: StatementSource,
  node: InsertNode,
  rows: SelectNode,
  relation: RelationSchema,
): WriteStep | Reject {
  const { sharding } = relation;
  assert(sharding.kind === 'distributed', 'rows with keys');
  const position = insertedNames(relation, node).indexOf(sharding.key);
  const tailed = withTailSettled(source, node, isOnShards);
  const select = withOuterCtes(node, rows);
  const analysis = analyze(source, select);
  const { block } = analysis;
  const isSelected = position !== -1 && (block.open || position < block.columns.length);
  if (!isSelected) {
    const byDefault = keyDefault(relation);
    if (byDefault === null) throw missingKey(relation.name, sharding.key);
    const keyed = withKeySelected(relation, byDefault, collected(source, tailed, analysis));
    return planSelectedRows(source, keyed, selectOf(keyed), relation);
  }
  const distribution = sharding.distribution.name;
  const count = block.open ? (node.cols?.length ?? 0) : block.columns.length;
  const complete = stableValuesSelected(source, relation, node, count);
  const isOneList = rows.op === 'SETOP_NONE' && rows.valuesLists === undefined;
  if (staysOnShard(analysis, position, distribution) && (complete === null || isOneList)) {
    const inserted = complete?.(tailed) ?? tailed;
    const query = isClients(source, inserted)
      ? ({ kind: 'as-received' } as const)
      : written(source, inserted);
    if (query.kind === 'reject') return query;
    return { kind: 'own-rows', routing: routingOf(analysis.context), route: writeRoute(query) };
  }
  const insert = collected(source, tailed, analysis);
  const query = written(source, complete?.(insert) ?? insert);
  if (query.kind === 'reject') return query;
  const route = writeRoute(query);
  const value = givenKey(source, analysis, position, sharding.distribution.keyType);
  if (value !== null) {
    const condition = { kind: 'assign', values: [value] } as const;
    const routing = {
      kind: 'by-key',
      groups: [{ distribution, condition }],
      withHome: false,
    } as const;
    return { kind: 'own-rows', routing, route };
  }
  const result = source.results.plans.length - 1;
  const key = { kind: 'result', result, column: position } as const;
  return { kind: 'collected-rows', distribution, key, route };
}

/** Into a table of another kind, with the rows as a result when they are of several shards. */
export function selectCollected(
  source: StatementSource,
  node: InsertNode,
  rows: SelectNode,
): InsertNode {
  const tailed = withTailSettled(source, node, isOfOneServer);
  const analysis = analyze(source, withOuterCtes(node, rows));
  if (routingOf(analysis.context).kind !== 'by-key') return tailed;
  return collected(source, tailed, analysis);
}

/** Names of WITH in front of INSERT are the query's to see; here they move into it. */
function withOuterCtes({ withClause }: InsertNode, rows: SelectNode): SelectNode {
  if (withClause === undefined) return rows;
  if (rows.withClause !== undefined) {
    throw refusal('WITH both in front of INSERT and of its SELECT', 'Use one WITH.');
  }
  return { ...rows, withClause };
}

/** It can be read on each shard that gets rows. */
function isOnShards({ context }: Analysis): boolean {
  return context.multiRefusal === null && context.ties.count <= 1 && !context.usesHome;
}

/** ON CONFLICT and RETURNING, which must be read where the rows go. */
function withTailSettled(
  source: StatementSource,
  node: InsertNode,
  isReached: (analysis: Analysis) => boolean,
): InsertNode {
  const { selectStmt: _, withClause: __, ...tail } = node;
  if (tail.onConflictClause === undefined && tail.returningClause === undefined) return node;
  const seen = insertAsSelect(tail);
  assert(node.relation !== undefined, 'a write without a table');
  const settled = settle({ ...source, written: node.relation }, seen.select, isReached);
  if ('kind' in settled) throw refusal(settled.message, settled.hint ?? '');
  if (settled.select === seen.select) return node;
  const changed = seen.apply(settled.select);
  assert('InsertStmt' in changed, 'an INSERT stays one');
  return { ...node, ...changed.InsertStmt };
}

/** Every row is read on the shard that owns the key in that column of it. */
function staysOnShard(
  { context, block }: Analysis,
  position: number,
  distribution: string,
): boolean {
  const routing = routingOf(context);
  if (routing.kind !== 'by-key' || routing.withHome || routing.groups.length > 1) return false;
  const column = block.columns[position];
  const isKey = column?.keys.some(
    ({ instance, exact }) => exact && context.ties.distribution(instance)?.name === distribution,
  );
  if (isKey !== true || column?.nullable !== false || block.open) return false;
  const root = multiShardSelect(context, block);
  return (
    root.kind === 'append' && root.input.kind === 'route' && root.input.query.kind === 'as-received'
  );
}

/** Literals and parameters stay in the INSERT, where they take their types from the table. */
function collected(source: StatementSource, node: InsertNode, analysis: Analysis): InsertNode {
  const { select, block } = analysis;
  // Of a function PostgreSQL alone knows the columns; there must be as many as are inserted.
  const count = block.open ? node.cols?.length : block.columns.length;
  if (count === undefined) {
    throw refusal(
      'INSERT ... SELECT of columns that are not known',
      'Name the columns, behind the table or in SELECT.',
    );
  }
  const names = Array.from({ length: count }, (_, index) => `column_${index + 1}`);
  const columns = names.map(plainColumn);
  const name = collect(source, { kind: 'query', select, columns });
  if (name === null) throw notCollected(source, select);
  const isDistinct = select.distinctClause !== undefined;
  const outputs = block.body.kind === 'select' && !isDistinct ? (block.body.outputs ?? []) : [];
  const targetList = names.map((each, index) => {
    const expression = outputs[index]?.expression ?? null;
    return target(expression !== null && isBare(expression) ? expression : reference([each]));
  });
  const selectStmt = { SelectStmt: { ...plainSelect, targetList, fromClause: [resultRead(name)] } };
  const { withClause: _, ...others } = node;
  return { ...others, selectStmt };
}

function isBare(expression: SqlNode): boolean {
  return 'ParamRef' in expression || 'A_Const' in expression;
}

/** A key that is the same for all rows and known without them. */
function givenKey(
  source: StatementSource,
  { block }: Analysis,
  position: number,
  keyType: string,
): KeyValue | null {
  const output = block.body.kind === 'select' ? block.body.outputs?.[position] : undefined;
  const context = new StatementContext(source, source.statement);
  const value = valueOperand(context, output?.expression ?? undefined, keyType);
  context.settleParameters();
  return value === 'null' ? null : value;
}

/** Why rows cannot be had from several shards. */
export function notCollected(source: StatementSource, select: SelectNode) {
  const plan = planMultiShard(analyze(source, select));
  const reason = plan.kind === 'reject' ? plan : null;
  return refusal(
    reason?.message ?? 'this SELECT of an INSERT is not supported over several shards',
    reason?.hint ?? 'Select the rows first, and insert them with VALUES.',
  );
}

function written(source: StatementSource, node: InsertNode): ShardQuery | Reject {
  const tree = { InsertStmt: node };
  return rewriteWrite(new StatementContext(source, tree), tree);
}

/** The client's own text does it. */
function isClients({ statement }: StatementSource, node: InsertNode): boolean {
  return 'InsertStmt' in statement && statement.InsertStmt === node;
}
