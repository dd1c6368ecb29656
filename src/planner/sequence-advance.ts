import type { InsertNode, SqlNode } from '../sql/ast.ts';
import { walk } from '../sql/walk.ts';
import { insertedNames } from './analyze-write.ts';
import { isHarmlessCall } from './function-traits.ts';
import type { ColumnSchema, RelationSchema } from './schema.ts';
import type { SequenceAdvance } from './sequence-calls.ts';
import type { StatementSource } from './statement-context.ts';

const none: SequenceAdvance = { sequences: [], keySequence: null, hasTriggers: false };

/** null: it may take any. At least one value of each is taken whenever it succeeds. */
export function sequenceAdvance(
  { schema, searchPath }: Pick<StatementSource, 'schema' | 'searchPath'>,
  statement: SqlNode,
): SequenceAdvance | null {
  const node = writeNode(statement);
  const { schemaname = null, relname = '' } = node?.relation ?? {};
  const relation = schema.relation(schemaname, relname, searchPath);
  if (relation === null || relation.kind !== 'table' || !isHarmless(statement)) return null;
  const hasTriggers = relation.hasRowTriggers === true;
  if (!('InsertStmt' in statement)) {
    return hasTriggers || setsDefaults(statement) ? null : none;
  }
  const taken = defaultsTaken(relation, statement.InsertStmt);
  if (taken === null || taken.some((column) => callsOthers(column.default ?? ''))) return null;
  const key = relation.sharding.kind === 'distributed' ? relation.sharding.key : null;
  const names = insertedNames(relation, statement.InsertStmt);
  const isGiven = statement.InsertStmt.selectStmt !== undefined && names.includes(key ?? '');
  const ofKey = isGiven ? '' : (taken.find(({ name }) => name === key)?.default ?? '');
  return {
    sequences: taken.flatMap((column) => sequencesIn(column.default ?? '')),
    keySequence: /^nextval\('[^']+'::regclass\)$/.test(ofKey)
      ? (sequencesIn(ofKey)[0] ?? null)
      : null,
    hasTriggers,
  };
}

function writeNode(statement: SqlNode): Pick<InsertNode, 'relation'> | null {
  if ('InsertStmt' in statement) return statement.InsertStmt;
  if ('UpdateStmt' in statement) return statement.UpdateStmt;
  return 'DeleteStmt' in statement ? statement.DeleteStmt : null;
}

const writes = ['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'];

/** No function in it has effects, and no query in WITH writes. */
function isHarmless(statement: SqlNode): boolean {
  let harmless = true;
  walk(statement, (node) => {
    const writesToo = node !== statement && writes.some((tag) => tag in node);
    if (writesToo || ('FuncCall' in node && !isHarmlessCall(node.FuncCall))) harmless = false;
    return harmless;
  });
  return harmless;
}

function setsDefaults(statement: SqlNode): boolean {
  let found = false;
  walk(statement, (node) => {
    found ||= 'SetToDefault' in node;
    return !found;
  });
  return found;
}

/** Columns that are left to their defaults in some row; null: there may be no row at all. */
function defaultsTaken(relation: RelationSchema, node: InsertNode): readonly ColumnSchema[] | null {
  if (node.withClause !== undefined) return null;
  if (node.selectStmt === undefined) return relation.columns;
  const select = 'SelectStmt' in node.selectStmt ? node.selectStmt.SelectStmt : {};
  const { valuesLists, withClause } = select;
  if (valuesLists === undefined || withClause !== undefined) return null;
  const rows = valuesLists.map((row) => ('List' in row ? (row.List.items ?? []) : []));
  const given = insertedNames(relation, node).slice(0, rows[0]?.length ?? 0);
  return relation.columns.filter(({ name }) => {
    const position = given.indexOf(name);
    if (position === -1) return true;
    return rows.some((row) => {
      const item = row[position];
      return item !== undefined && 'SetToDefault' in item;
    });
  });
}

function sequencesIn(expression: string): readonly string[] {
  const calls = expression.matchAll(/\bnextval\('((?:[^']|'')+)'::(?:pg_catalog\.)?regclass\)/g);
  return [...calls].map(([, name = '']) => name.replaceAll("''", "'"));
}

/** It calls functions that are not PostgreSQL's own, which are written with their schemas. */
function callsOthers(expression: string): boolean {
  return [...expression.matchAll(/([\w$]+|")\.(?:[\w$]+|"[^"]+")\(/g)].some(
    ([, schema]) => schema !== 'pg_catalog',
  );
}
