import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type {
  DeleteNode,
  InsertNode,
  MergeNode,
  SelectNode,
  SqlNode,
  UpdateNode,
} from '../sql/ast.ts';
import { builtinName } from '../sql/names.ts';
import { walk } from '../sql/walk.ts';
import type { Block } from './block.ts';
import type { CteScope } from './cte-scope.ts';
import { analyzeFrom } from './from-clause.ts';
import { applyConjuncts, conjunctsOf } from './keys/conjuncts.ts';
import { valueOperand } from './keys/key-operand.ts';
import type { KeyValue } from './plan.ts';
import { QueryBlocks } from './query-block.ts';
import { refusal } from './refuse.ts';
import type { RelationSchema } from './schema.ts';
import { type Column, resolveColumn, type Scope } from './scope.ts';
import type { StatementContext } from './statement-context.ts';
import {
  assign,
  noteKeyChange,
  notWhole,
  storedValue,
  type WriteFacts,
  type WrittenTable,
  writtenTable,
} from './written-table.ts';

/** The analysis of queries, with that of the writes that WITH may hold. */
export const queryBlocks = new QueryBlocks(analyzeWrite);

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
  else if ('MergeStmt' in statement) analyzeMerge(context, statement.MergeStmt, ctes, facts);
}

function analyzeUpdate(
  context: StatementContext,
  node: UpdateNode,
  outer: CteScope | null,
  facts: WriteFacts | null,
): void {
  queryBlocks.inWith(context, node, null, outer, (ctes) => {
    const target = writtenTable(context, node.relation, facts);
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
    const target = writtenTable(context, node.relation, facts);
    const scope = filteredScope(context, target, node.usingClause, node.whereClause, ctes);
    queryBlocks.subLinks(context, node.returningClause, scope, ctes);
  });
}

/** The target joined with the other tables, filtered by WHERE. */
function filteredScope(
  context: StatementContext,
  target: WrittenTable,
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

function analyzeInsert(
  context: StatementContext,
  node: InsertNode,
  outer: CteScope | null,
  facts: WriteFacts | null,
): void {
  queryBlocks.inWith(context, node, null, outer, (ctes) => {
    const target = writtenTable(context, node.relation, facts);
    const source = node.selectStmt;
    const values = source !== undefined && 'SelectStmt' in source ? source.SelectStmt : null;
    if (values?.valuesLists !== undefined && values.withClause === undefined) {
      queryBlocks.subLinks(context, values.valuesLists, { from: [], parent: null }, ctes);
      assignRows(context, target, node, values, facts);
    } else if (values !== null) {
      const block = queryBlocks.select(context, values, null, ctes);
      assignQuery(context, target, node, block, facts);
    } else if (target.key !== null) throw missingOf(target);
    const scope = { from: [target.item], parent: null };
    const conflict = node.onConflictClause;
    const rest = [conflict?.targetList, conflict?.whereClause, node.returningClause];
    queryBlocks.subLinks(context, rest, scope, ctes);
    noteKeyChange(context, target, conflict?.targetList ?? [], 'excluded', facts);
  });
}

/** The position of the key among the inserted columns; null unless the table is distributed. */
function keyPosition(
  target: WrittenTable,
  node: InsertNode,
  facts: WriteFacts | null,
): number | null {
  if (target.key === null || target.relation === null) return null;
  const listed = (node.cols ?? []).map((column) =>
    'ResTarget' in column ? column.ResTarget.name : undefined,
  );
  const position = insertedNames(target.relation, node).indexOf(target.key);
  const key = target.relation.columns.find(({ name }) => name === target.key);
  if (node.override === 'OVERRIDING_USER_VALUE' && key?.isIdentity === true) {
    throw refusal(
      'INSERT ... SELECT with OVERRIDING USER VALUE of a key is not supported',
      'Leave the key out of the columns.',
    );
  }
  if (position !== -1) return position;
  const unknown = unknownColumn(target.relation, listed);
  if (unknown !== null) throw unknown;
  if (key?.default === undefined) throw missingOf(target);
  notWhole(facts, () => missingOf(target));
  return null;
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
  target: WrittenTable,
  node: InsertNode,
  values: SelectNode,
  facts: WriteFacts | null,
): void {
  const position = keyPosition(target, node, facts);
  if (position === null || target.instance === null) return;
  const stored: KeyValue[] = [];
  for (const row of values.valuesLists ?? []) {
    const items = 'List' in row ? (row.List.items ?? []) : [];
    // It may be the sequence of another table, which the home shard has.
    if (facts !== null && items.some(callsNextval)) facts.isWhole = false;
    const item = items[position];
    if (item === undefined || 'SetToDefault' in item) throw missingOf(target);
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
  target: WrittenTable,
  node: InsertNode,
  block: Block,
  facts: WriteFacts | null,
): void {
  const position = keyPosition(target, node, facts);
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

/** In a value of a row of VALUES. */
export function callsNextval(item: SqlNode): boolean {
  let calls = false;
  walk(item, (node) => {
    if ('FuncCall' in node && builtinName(node.FuncCall.funcname) === 'nextval') calls = true;
    return !calls;
  });
  return calls;
}

function missingOf({ relation, key }: WrittenTable): PgError {
  return missingKey(relation?.name ?? '', key ?? '');
}

export function missingKey(table: string, key: string): PgError {
  const message = `INSERT into "${table}" without its key "${key}"`;
  return new PgError(SqlState.notNullViolation, message, {
    hint: 'Give the key as a literal or parameter: it says which shard the row belongs to.',
  });
}

/**
 * Rows of the source matter whether they match or not; those of the target only with a row of the
 * source that has the same key.
 */
function analyzeMerge(
  context: StatementContext,
  node: MergeNode,
  outer: CteScope | null,
  facts: WriteFacts | null,
): void {
  queryBlocks.inWith(context, node, null, outer, (ctes) => {
    const target = writtenTable(context, node.relation, facts);
    if (target.relation?.sharding.kind === 'reference') {
      throw refusal(
        `MERGE into reference table "${target.relation.name}" is not supported`,
        'Use INSERT ... ON CONFLICT, UPDATE or DELETE.',
      );
    }
    const surroundings = { context, ctes, parent: null, blocks: queryBlocks };
    const others = node.sourceRelation === undefined ? [] : [node.sourceRelation];
    const source = analyzeFrom(surroundings, others);
    const scope = { from: [target.item, ...source], parent: null };
    const clauses = (node.mergeWhenClauses ?? []).flatMap((clause) =>
      'MergeWhenClause' in clause ? [clause.MergeWhenClause] : [],
    );
    const bySource = clauses.some(
      (clause) => clause.matchKind === 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE',
    );
    const filtered = bySource ? { start: 0, end: 0 } : target.item;
    applyConjuncts(context, scope, node.joinCondition, filtered);
    if (!bySource) noteGivenKey(context, target, scope, node.joinCondition);
    queryBlocks.subLinks(context, node.joinCondition, scope, ctes);
    queryBlocks.subLinks(context, [node.mergeWhenClauses, node.returningClause], scope, ctes);
    for (const { commandType, targetList = [], values = [] } of clauses) {
      if (commandType === 'CMD_UPDATE') noteKeyChange(context, target, targetList, null, null);
      if (commandType !== 'CMD_INSERT') continue;
      noteMergedRow(context, target, targetList, values, { scope, join: node.joinCondition });
    }
  });
}

/** `key = s.k`, where every row of `s` has the same given value for `k`. */
function noteGivenKey(
  context: StatementContext,
  { instance: own, key }: WrittenTable,
  scope: Scope,
  condition: SqlNode | undefined,
): void {
  const distribution = own === null ? undefined : context.ties.distribution(own);
  if (own === null || key === null || distribution === undefined) return;
  for (const sides of equalColumns(scope, condition)) {
    if (!sides.some((side) => side?.keys.some(({ instance }) => instance === own))) continue;
    const given = sides.find((side) => side?.origin !== null)?.origin?.expression;
    const value = valueOperand(context, given, distribution.keyType);
    if (value !== null && value !== 'null') context.ties.restrict(own, { kind: 'equal', value });
  }
}

/** The sides of each `a = b` that must be true; null: no column. */
function equalColumns(
  scope: Scope,
  condition: SqlNode | undefined,
): readonly (readonly (Column | null)[])[] {
  return conjunctsOf(condition).flatMap((conjunct) => {
    const test = 'A_Expr' in conjunct ? conjunct.A_Expr : null;
    if (test?.kind !== 'AEXPR_OP' || builtinName(test.name) !== '=') return [];
    const sides = [test.lexpr, test.rexpr];
    return [sides.map((side) => (side === undefined ? null : resolveColumn(scope, side)))];
  });
}

/** The row that a MERGE inserts must have the key of the source's row, or a given one. */
function noteMergedRow(
  context: StatementContext,
  target: WrittenTable,
  columns: readonly SqlNode[],
  values: readonly SqlNode[],
  { scope, join }: { readonly scope: Scope; readonly join: SqlNode | undefined },
): void {
  if (target.relation === null || target.instance === null) return;
  const names = insertedNames(target.relation, { cols: [...columns] });
  const value = values[names.indexOf(target.key ?? '')];
  if (value === undefined || 'SetToDefault' in value) throw missingOf(target);
  const own = target.instance;
  const column = resolveColumn(scope, value);
  const isKeyOf = (side: Column | null, table: number) =>
    side?.keys.some(({ instance, exact }) => exact && instance === table) === true;
  // Where rows of the target matter by themselves, too, the condition has not tied the tables.
  const isSource = column?.keys.some(
    ({ instance, exact }) =>
      exact &&
      (context.ties.rootOf(own) === context.ties.rootOf(instance) ||
        equalColumns(scope, join).some(
          (sides) =>
            sides.some((side) => isKeyOf(side, own)) &&
            sides.some((side) => isKeyOf(side, instance)),
        )),
  );
  if (isSource === true && column?.nullable === false) return;
  const given = storedValue(context, own, column?.origin?.expression ?? value);
  if (given === null) throw mergeRefusal();
  assign(context, own, [given]);
}

function mergeRefusal(): PgError {
  return refusal(
    'this MERGE, whose rows are not known to have the keys of its source, is not supported',
    'Join by the keys and insert the key of the source; or use INSERT ... ON CONFLICT, UPDATE, DELETE.',
  );
}
