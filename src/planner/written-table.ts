import { assert } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { RangeVarNode, SqlNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import { type Operand, valueOperand } from './keys/key-operand.ts';
import type { KeyValue } from './plan.ts';
import { refusal } from './refuse.ts';
import { columnsOf, noteRelation, relationOf } from './relation-item.ts';
import type { RelationSchema, Schema } from './schema.ts';
import type { FromItem } from './scope.ts';
import type { StatementContext } from './statement-context.ts';
import { rangeVarsIn } from './utility/utility-subjects.ts';
import { viewQuery } from './view-query.ts';

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

/** One shard cannot run all of it; inside WITH that is the end. */
export function notWhole(facts: WriteFacts | null, refused: () => PgError): void {
  if (facts === null) throw refused();
  facts.isWhole = false;
}

export type WrittenTable = {
  readonly relation: RelationSchema | null;
  readonly instance: number | null;
  /** The column of the key; null unless the table is distributed. */
  readonly key: string | null;
  readonly item: FromItem;
};

/** The table that is written, as an element of FROM. */
export function writtenTable(
  context: StatementContext,
  node: RangeVarNode | undefined,
  facts: WriteFacts | null,
): WrittenTable {
  assert(node !== undefined, 'a write without a table');
  const start = context.ties.count;
  refuseView(context, node);
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
    isSorted: false,
    start,
    end: context.ties.count,
  };
  const key = relation?.sharding.kind === 'distributed' ? relation.sharding.key : null;
  return { relation, instance, key, item };
}

/** Its rows are those of the tables behind it, which lie on several shards or are copied. */
function refuseView({ schema, searchPath }: StatementContext, node: RangeVarNode): void {
  const { schemaname, relname = '', relpersistence } = node;
  const relation = schema.relation(schemaname ?? null, relname, searchPath);
  if (relation?.kind !== 'view' || relpersistence === 't') return;
  if (!relation.readsDistributed && !readsReference(relation, schema)) return;
  throw refusal(
    `writing to view "${relation.name}", which reads tables of several shards, is not supported`,
    'Write to the table that the view reads.',
  );
}

function readsReference(view: RelationSchema, schema: Schema): boolean {
  return rangeVarsIn(viewQuery(view, schema)?.fromClause).some(({ schemaname, relname = '' }) => {
    const read = schema.relation(schemaname ?? null, relname, []);
    if (read?.kind === 'view') return readsReference(read, schema);
    return read?.sharding.kind === 'reference';
  });
}

/**
 * SET of the key: the new value must lie on the row's own shard, which the router checks. In ON
 * CONFLICT `excluded` is the row that was to be inserted.
 */
export function noteKeyChange(
  context: StatementContext,
  target: WrittenTable,
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
    else
      notWhole(facts, () =>
        refusal('UPDATE of a key to a computed value here is not supported', movedHint),
      );
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
export function assign(
  context: StatementContext,
  instance: number,
  values: readonly KeyValue[],
): void {
  const distribution = context.ties.distribution(instance);
  assert(distribution !== undefined, 'a key of a table that is not distributed');
  const row = context.ties.add({ distribution, name: 'the stored row' });
  context.ties.restrict(row, { kind: 'assign', values });
}

/** null for a computed value. Throws for NULL. */
export function storedValue(
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
