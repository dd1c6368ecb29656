import { assert } from '../../base/assert.ts';
import type { InsertNode, SelectNode, SqlNode } from '../../sql/ast.ts';
import { parseStatement } from '../../sql/parser.ts';
import { insertedNames } from '../analyze-write.ts';
import type { RelationSchema } from '../schema.ts';
import type { StatementSource } from '../statement-context.ts';
import { plainSelect, target } from '../tree-builders.ts';

/**
 * INSERT ... VALUES with the key's default written out where a row leaves it to that: the shard
 * must be known before the row is. The statement itself when there is nothing to write out.
 */
export function withKeyGiven(source: StatementSource, node: InsertNode): InsertNode {
  const { relation: table, selectStmt } = node;
  const { schemaname = null, relname = '' } = table ?? {};
  const relation = source.schema.relation(schemaname, relname, source.searchPath);
  const key = relation === null ? null : keyDefault(relation);
  if (relation === null || key === null) return node;
  if (selectStmt === undefined) {
    return withRows({ ...node, cols: columnList([key.name]) }, key, [[key.expression()]]);
  }
  const values = 'SelectStmt' in selectStmt ? selectStmt.SelectStmt : {};
  const { valuesLists, withClause } = values;
  if (valuesLists === undefined || withClause !== undefined) return node;
  const rows = valuesLists.map((row) => ('List' in row ? (row.List.items ?? []) : []));
  const count = rows[0]?.length ?? 0;
  if (rows.some((row) => row.length !== count)) return node;
  // Without a column list the values are for the first columns.
  const given = insertedNames(relation, node).slice(0, count);
  const position = given.indexOf(key.name);
  if (position === -1) {
    const cols = [...(node.cols ?? columnList(given)), ...columnList([key.name])];
    const longer = rows.map((row) => [...row, key.expression()]);
    return withRows({ ...node, cols }, key, longer);
  }
  const isIgnored = node.override === 'OVERRIDING_USER_VALUE' && key.isIdentity;
  const isLeft = (item: SqlNode | undefined) =>
    item === undefined || isIgnored || 'SetToDefault' in item;
  if (!rows.some((row) => isLeft(row[position]))) return node;
  const replaced = rows.map((row) =>
    row.map((item, at) => (at === position && isLeft(item) ? key.expression() : item)),
  );
  const { override } = node;
  const changed = withRows(node, key, replaced);
  // PostgreSQL says itself which values must not be given.
  const isMixed = rows.some((row) => !isLeft(row[position]));
  return isMixed && override !== undefined ? { ...changed, override } : changed;
}

/** INSERT ... SELECT, whose columns are all listed, with the key's default as one more of them. */
export function withKeySelected(
  relation: RelationSchema,
  key: KeyDefault,
  node: InsertNode,
): InsertNode {
  const rows = selectOf(node);
  const given = rows.targetList ?? [];
  const names = insertedNames(relation, node).slice(0, given.length);
  const targetList = [...given, target(key.expression())];
  return {
    ...node,
    cols: [...(node.cols ?? columnList(names)), ...columnList([key.name])],
    selectStmt: { SelectStmt: { ...rows, targetList } },
    ...overriding(node, key),
  };
}

export type KeyDefault = {
  readonly name: string;
  readonly isIdentity: boolean;
  /** Another tree each time: trees are compared by identity. */
  expression(): SqlNode;
};

/** null: the table has no key, or its key no default. */
export function keyDefault({ sharding, columns }: RelationSchema): KeyDefault | null {
  if (sharding.kind !== 'distributed') return null;
  const column = columns.find(({ name }) => name === sharding.key);
  if (column?.default === undefined) return null;
  const { name, default: text, isIdentity = false } = column;
  const expression = expressionOf(text);
  if (expression === null) return null;
  return { name, isIdentity, expression: () => structuredClone(expression) };
}

/** null for what the grammar does not know. */
export function expressionOf(text: string): SqlNode | null {
  const outcome = parseStatement(`SELECT ${text}`, text);
  if (outcome.kind !== 'parsed' || !('SelectStmt' in outcome.statement)) return null;
  const [first] = outcome.statement.SelectStmt.targetList ?? [];
  return first !== undefined && 'ResTarget' in first ? (first.ResTarget.val ?? null) : null;
}

function withRows(
  node: InsertNode,
  key: KeyDefault,
  rows: readonly (readonly SqlNode[])[],
): InsertNode {
  const valuesLists = rows.map((items): SqlNode => ({ List: { items: [...items] } }));
  return {
    ...node,
    selectStmt: { SelectStmt: { ...selectOf(node), valuesLists } },
    ...overriding(node, key),
  };
}

/** What it inserts. */
export function selectOf({ selectStmt }: InsertNode): SelectNode {
  return selectStmt !== undefined && 'SelectStmt' in selectStmt
    ? selectStmt.SelectStmt
    : plainSelect;
}

function columnList(names: readonly (string | undefined)[]): SqlNode[] {
  return names.map((name) => {
    assert(name !== undefined, 'a column has a name');
    return { ResTarget: { name } };
  });
}

/** The value comes from the sequence, though the statement says it. */
function overriding(node: InsertNode, key: KeyDefault): Pick<InsertNode, 'override'> {
  if (key.isIdentity) return { override: 'OVERRIDING_SYSTEM_VALUE' };
  return node.override === undefined ? {} : { override: node.override };
}
