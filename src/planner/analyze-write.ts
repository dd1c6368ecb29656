import { assert } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type {
  DeleteNode,
  InsertNode,
  RangeVarNode,
  SelectNode,
  SqlNode,
  UpdateNode,
} from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import { walk } from '../sql/walk.ts';
import type { Block } from './block.ts';
import { applyConjuncts } from './conjuncts.ts';
import type { CteScope } from './cte-scope.ts';
import { analyzeFrom } from './from-clause.ts';
import { type Operand, valueOperand } from './key-operand.ts';
import type { KeyValue } from './plan.ts';
import { QueryBlocks } from './query-block.ts';
import { refusal } from './refuse.ts';
import { columnsOf, noteRelation, relationOf } from './relation-item.ts';
import type { RelationSchema } from './schema.ts';
import type { FromItem, Scope } from './scope.ts';
import type { StatementContext } from './statement-context.ts';

/** The analysis of queries, with that of the writes that WITH may hold. */
export const queryBlocks = new QueryBlocks(analyzeWrite);

/** What a statement that is itself a write says about the table that it writes. */
export type WriteFacts = {
  /** null: not in the snapshot. */
  relation: RelationSchema | null;
  /**
   * Rows of one shard can only be written there. Otherwise where they belong is known when some
   * values have been computed, or they belong on every shard.
   */
  isWhole: boolean;
  /** The key is set to what may be another one. */
  setsKey: boolean;
};

/** A write inside WITH. Throws what no shard may run. */
function analyzeWrite(context: StatementContext, statement: SqlNode, ctes: CteScope | null): void {
  analyze(context, statement, ctes, null);
}

/** INSERT, UPDATE, DELETE or MERGE as the whole statement. Throws what no shard may run. */
export function analyzeStatementWrite(context: StatementContext, statement: SqlNode): WriteFacts {
  const facts: WriteFacts = { relation: null, isWhole: true, setsKey: false };
  analyze(context, statement, null, facts);
  return facts;
}

function analyze(
  context: StatementContext,
  statement: SqlNode,
  ctes: CteScope | null,
  facts: WriteFacts | null,
): void {
  context.writes = true;
  if ('InsertStmt' in statement) analyzeInsert(context, statement.InsertStmt, ctes, facts);
  else if ('UpdateStmt' in statement) analyzeUpdate(context, statement.UpdateStmt, ctes, facts);
  else if ('DeleteStmt' in statement) analyzeDelete(context, statement.DeleteStmt, ctes, facts);
  else analyzeMerge(context, statement);
}

/** One shard cannot run all of it; inside WITH that is the end. */
function notWhole(facts: WriteFacts | null, refused: () => PgError): void {
  if (facts === null) throw refused();
  facts.isWhole = false;
}

type Target = {
  readonly relation: RelationSchema | null;
  readonly instance: number | null;
  /** The column of the key; null unless the table is distributed. */
  readonly key: string | null;
  readonly item: FromItem;
};

/** The table that is written, as an element of FROM. */
function targetOf(
  context: StatementContext,
  node: RangeVarNode | undefined,
  facts: WriteFacts | null,
): Target {
  assert(node !== undefined, 'a write without a table');
  const start = context.ties.count;
  const relation = relationOf(context, node);
  if (facts !== null) facts.relation = relation;
  if (relation?.sharding.kind === 'reference') {
    notWhole(facts, () =>
      refusal(
        `writing to reference table "${relation.name}" inside WITH is not supported`,
        'Write to it in a statement of its own.',
      ),
    );
  }
  const instance = relation === null ? null : noteRelation(context, relation);
  if (relation === null) context.usesHome = true;
  const columns = relation === null ? [] : columnsOf(relation, instance);
  const alias = node.alias?.aliasname ?? node.relname ?? '';
  const item: FromItem = {
    items: [{ alias, schema: relation?.schema ?? null, columns }],
    columns,
    open: relation === null,
    shape: instance === null ? 'replicated' : 'partitioned',
    start,
    end: context.ties.count,
  };
  const key = relation?.sharding.kind === 'distributed' ? relation.sharding.key : null;
  return { relation, instance, key, item };
}

function analyzeUpdate(
  context: StatementContext,
  node: UpdateNode,
  outer: CteScope | null,
  facts: WriteFacts | null,
): void {
  queryBlocks.inWith(context, node, null, outer, (ctes) => {
    const target = targetOf(context, node.relation, facts);
    const scope = filteredScope(context, target, node.fromClause, node.whereClause, ctes);
    const expressions = [node.targetList, node.returningClause];
    queryBlocks.subLinks(context, expressions, scope, ctes);
    noteKeyChange(context, target, node.targetList ?? [], null, facts);
  });
}

function analyzeDelete(
  context: StatementContext,
  node: DeleteNode,
  outer: CteScope | null,
  facts: WriteFacts | null,
): void {
  queryBlocks.inWith(context, node, null, outer, (ctes) => {
    const target = targetOf(context, node.relation, facts);
    const scope = filteredScope(context, target, node.usingClause, node.whereClause, ctes);
    queryBlocks.subLinks(context, node.returningClause, scope, ctes);
  });
}

/** The target joined with the other tables, filtered by WHERE. */
function filteredScope(
  context: StatementContext,
  target: Target,
  others: readonly SqlNode[] | undefined,
  where: SqlNode | undefined,
  ctes: CteScope | null,
): Scope {
  const surroundings = { context, ctes, parent: null, blocks: queryBlocks };
  const scope = { from: [target.item, ...analyzeFrom(surroundings, others ?? [])], parent: null };
  const filtered = { start: target.item.start, end: context.ties.count };
  applyConjuncts(context, scope, where, filtered);
  queryBlocks.subLinks(context, where, scope, ctes, filtered);
  return scope;
}

/**
 * SET of the key: the new value must lie on the row's own shard, which the router checks. In ON
 * CONFLICT `excluded` is the row that was to be inserted.
 */
function noteKeyChange(
  context: StatementContext,
  target: Target,
  assignments: readonly SqlNode[],
  excluded: string | null,
  facts: WriteFacts | null,
): void {
  const { key, instance } = target;
  if (key === null || instance === null) return;
  for (const assignment of assignments) {
    if (!('ResTarget' in assignment) || assignment.ResTarget.name !== key) continue;
    const { val } = assignment.ResTarget;
    if (val !== undefined && isColumn(val, excluded, key)) continue;
    if (val !== undefined && isColumn(val, target.item.items[0]?.alias ?? null, key)) continue;
    if (facts !== null) facts.setsKey = true;
    const value = storedValue(context, instance, val);
    if (value !== null) assign(context, instance, [value]);
    else notWhole(facts, () => refusal('UPDATE of a key to a computed value', movedHint));
  }
}

const movedHint = 'Delete the row and insert it with its new key.';

function isColumn(node: SqlNode, table: string | null, column: string): boolean {
  if (!('ColumnRef' in node) || table === null) return false;
  const fields = stringsOf(node.ColumnRef.fields);
  if (fields.length === 1) return fields[0] === column;
  return fields.length === 2 && fields[0] === table && fields[1] === column;
}

/** A group of its own: the stored keys must lie on the one shard that everything else lies on. */
function assign(context: StatementContext, instance: number, values: readonly KeyValue[]): void {
  const distribution = context.ties.distribution(instance);
  assert(distribution !== undefined, 'a key of a table that is not distributed');
  const row = context.ties.add({ distribution, name: 'the stored row' });
  context.ties.restrict(row, { kind: 'assign', values });
}

function analyzeInsert(
  context: StatementContext,
  node: InsertNode,
  outer: CteScope | null,
  facts: WriteFacts | null,
): void {
  queryBlocks.inWith(context, node, null, outer, (ctes) => {
    const target = targetOf(context, node.relation, facts);
    const source = node.selectStmt;
    const values = source !== undefined && 'SelectStmt' in source ? source.SelectStmt : null;
    if (values?.valuesLists !== undefined && values.withClause === undefined) {
      queryBlocks.subLinks(context, values.valuesLists, { from: [], parent: null }, ctes);
      assignRows(context, target, node, values, facts);
    } else if (values !== null) {
      const block = queryBlocks.select(context, values, null, ctes);
      assignQuery(context, target, node, block, facts);
    } else if (target.key !== null) throw missingKey(target);
    const scope = { from: [target.item], parent: null };
    const conflict = node.onConflictClause;
    const rest = [conflict?.targetList, conflict?.whereClause, node.returningClause];
    queryBlocks.subLinks(context, rest, scope, ctes);
    noteKeyChange(context, target, conflict?.targetList ?? [], 'excluded', facts);
  });
}

/** The position of the key among the inserted columns; null unless the table is distributed. */
function keyPosition(target: Target, node: InsertNode): number | null {
  if (target.key === null || target.relation === null) return null;
  const listed = (node.cols ?? []).map((column) =>
    'ResTarget' in column ? column.ResTarget.name : undefined,
  );
  const position = insertedNames(target.relation, node).indexOf(target.key);
  if (node.override === 'OVERRIDING_USER_VALUE') {
    throw refusal(
      'OVERRIDING USER VALUE is not supported',
      'Give the key as a literal or parameter that counts.',
    );
  }
  if (position === -1) throw unknownColumn(target.relation, listed) ?? missingKey(target);
  return position;
}

/** The columns that the statement's values are for, in order. */
export function insertedNames(
  relation: RelationSchema,
  { cols = [] }: InsertNode,
): readonly (string | undefined)[] {
  if (cols.length === 0) return relation.columns.map((column) => column.name);
  return cols.map((column) => ('ResTarget' in column ? column.ResTarget.name : undefined));
}

/**
 * PostgreSQL finds this mistake before a missing value. It is told here: a shard would store the
 * row, whatever its key, if the column had been added without our knowledge.
 */
function unknownColumn(
  relation: RelationSchema,
  listed: readonly (string | undefined)[],
): PgError | null {
  const known = new Set<string | undefined>(relation.columns.map((column) => column.name));
  const unknown = listed.find((name) => !known.has(name));
  if (unknown === undefined) return null;
  const message = `column "${unknown}" of relation "${relation.name}" does not exist`;
  return new PgError(SqlState.undefinedColumn, message);
}

function assignRows(
  context: StatementContext,
  target: Target,
  node: InsertNode,
  values: SelectNode,
  facts: WriteFacts | null,
): void {
  const position = keyPosition(target, node);
  if (position === null || target.instance === null) return;
  const stored: KeyValue[] = [];
  for (const row of values.valuesLists ?? []) {
    const item = 'List' in row ? row.List.items?.[position] : undefined;
    if (item === undefined || 'SetToDefault' in item) throw missingKey(target);
    const value = storedValue(context, target.instance, item);
    if (value !== null) stored.push(value);
    else {
      notWhole(facts, () =>
        refusal(
          `the key of "${target.item.items[0]?.alias ?? ''}" must be a literal or a parameter`,
          'Compute it first and pass the result as a parameter.',
        ),
      );
    }
  }
  context.ties.restrict(target.instance, { kind: 'assign', values: stored });
}

/** The rows must be of one shard, known by the key that they are selected with. */
function assignQuery(
  context: StatementContext,
  target: Target,
  node: InsertNode,
  block: Block,
  facts: WriteFacts | null,
): void {
  const position = keyPosition(target, node);
  if (position === null || target.instance === null) return;
  const column = block.columns[position];
  for (const { instance, exact } of column?.keys ?? []) {
    const sameDistribution =
      context.ties.distribution(instance)?.name ===
      context.ties.distribution(target.instance)?.name;
    if (exact && sameDistribution && column?.nullable === false) {
      context.ties.follow(target.instance, instance);
      return;
    }
  }
  const output = block.body.kind === 'select' ? block.body.outputs?.[position] : undefined;
  const value = storedValue(context, target.instance, output?.expression ?? undefined);
  if (value === null || block.open) {
    notWhole(facts, () =>
      refusal(
        'INSERT ... SELECT inside WITH whose key comes from elsewhere is not supported',
        'Select the key of a table of the same distribution, or give it as a literal or parameter.',
      ),
    );
    return;
  }
  context.ties.restrict(target.instance, { kind: 'assign', values: [value] });
}

/** null for a computed value. Throws for NULL. */
function storedValue(
  context: StatementContext,
  instance: number,
  node: SqlNode | undefined,
): KeyValue | null {
  const keyType = context.ties.distribution(instance)?.keyType ?? '';
  const value: Operand | null = valueOperand(context, node, keyType);
  if (value !== 'null') return value;
  throw new PgError(SqlState.notNullViolation, 'the key of a distributed table must not be null', {
    hint: 'The key says which shard the row belongs to.',
  });
}

function missingKey(target: Target): PgError {
  const message = `INSERT into "${target.relation?.name ?? ''}" without its key "${target.key ?? ''}"`;
  return new PgError(SqlState.notNullViolation, message, {
    hint: 'Give the key as a literal or parameter: it says which shard the row belongs to.',
  });
}

/** Every table in it must be the home shard's own. */
function analyzeMerge(context: StatementContext, statement: SqlNode): void {
  context.usesHome = true;
  walk(statement, (node) => {
    if ('CommonTableExpr' in node) throw mergeRefusal();
    const { relation } = 'MergeStmt' in node ? node.MergeStmt : { relation: undefined };
    const table = 'RangeVar' in node ? node.RangeVar : relation;
    const sharding = table === undefined ? undefined : relationOf(context, table)?.sharding;
    if (sharding !== undefined && sharding.kind !== 'local') throw mergeRefusal();
    return true;
  });
}

function mergeRefusal(): PgError {
  return refusal(
    'MERGE is supported on tables of the home shard only, without WITH',
    'Use INSERT ... ON CONFLICT, UPDATE or DELETE.',
  );
}
