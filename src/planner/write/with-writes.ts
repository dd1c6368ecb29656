import { assert } from '../../base/assert.ts';
import type { SelectNode, SqlNode, WithNode } from '../../sql/ast.ts';
import { stringsOf } from '../../sql/names.ts';
import { walk } from '../../sql/walk.ts';
import { analyze } from '../analysis.ts';
import { replaceNodes } from '../intermediate/replace-nodes.ts';
import { resultTable } from '../intermediate/result-read.ts';
import { collect } from '../plan-multi-shard.ts';
import { refusal } from '../refuse.ts';
import { plainColumn, renamed } from '../scope.ts';
import type { StatementSource } from '../statement-context.ts';

/** A statement whose WITH writes, taken apart. */
export type WithWrites = {
  /** In the order in which they are written. */
  readonly names: readonly NamedQuery[];
  /** What follows WITH, and the names of it that are queries only. */
  readonly statement: SqlNode;
};

export type NamedQuery = {
  readonly name: string;
  readonly columnNames: readonly string[];
  readonly query: SqlNode;
};

const oneAtATime = 'Write one after the other, in one transaction.';

type WithHolder = { readonly withClause?: WithNode };

/** null: its WITH, if it has one, writes nothing. */
export function withWritesOf(statement: SqlNode): WithWrites | null {
  const clause = holderOf(statement).withClause;
  const names = (clause?.ctes ?? []).flatMap((node): readonly NamedQuery[] => {
    if (!('CommonTableExpr' in node)) return [];
    const { ctename: name = '', ctequery: query, aliascolnames } = node.CommonTableExpr;
    return query === undefined ? [] : [{ name, query, columnNames: stringsOf(aliascolnames) }];
  });
  if (!names.some(({ query }) => isWrite(query))) return null;
  demandPlainNames(statement, names, clause?.recursive === true);
  return { names, statement };
}

export function isWrite(query: SqlNode): boolean {
  return (
    'InsertStmt' in query || 'UpdateStmt' in query || 'DeleteStmt' in query || 'MergeStmt' in query
  );
}

function holderOf(statement: SqlNode): WithHolder {
  if ('SelectStmt' in statement) return statement.SelectStmt;
  if ('InsertStmt' in statement) return statement.InsertStmt;
  if ('UpdateStmt' in statement) return statement.UpdateStmt;
  if ('DeleteStmt' in statement) return statement.DeleteStmt;
  return 'MergeStmt' in statement ? statement.MergeStmt : {};
}

/** Every name must mean one query wherever it stands. */
function demandPlainNames(
  statement: SqlNode,
  names: readonly NamedQuery[],
  isRecursive: boolean,
): void {
  let count = 0;
  walk(statement, (node) => {
    if ('CommonTableExpr' in node) count += 1;
    return true;
  });
  if (!isRecursive && count === names.length) return;
  throw refusal(
    'writes in WITH RECURSIVE, or beside another WITH, over several shards are not supported',
    oneAtATime,
  );
}

/** The statement with a result in the place of a name of its WITH, which is left out. */
export function withResultFor<Tree extends SqlNode>(
  tree: Tree,
  name: string,
  result: string | null,
): Tree {
  const places = new Map<object, unknown>();
  walk(tree, (node) => {
    if ('RangeVar' in node && isNamed(node, name) && result !== null) {
      const { alias } = node.RangeVar;
      places.set(node, {
        RangeVar: { ...resultTable(result), alias: alias ?? { aliasname: name } },
      });
    }
    return true;
  });
  return replaceNodes(withoutName(tree, name), places);
}

function isNamed(node: Extract<SqlNode, { RangeVar: unknown }>, name: string): boolean {
  return node.RangeVar.schemaname === undefined && node.RangeVar.relname === name;
}

export function reads(tree: SqlNode, name: string): boolean {
  let found = false;
  walk(tree, (node) => {
    if ('RangeVar' in node && isNamed(node, name)) found = true;
    return !found;
  });
  return found;
}

function withoutName<Tree extends SqlNode>(tree: Tree, name: string): Tree {
  const clause = holderOf(tree).withClause;
  if (clause === undefined) return tree;
  const ctes = (clause.ctes ?? []).filter(
    (node) => !('CommonTableExpr' in node) || node.CommonTableExpr.ctename !== name,
  );
  if (ctes.length === (clause.ctes ?? []).length) return tree;
  if (ctes.length > 0) return replaceNodes(tree, new Map([[clause, { ...clause, ctes }]]));
  const [tag, node] = Object.entries(tree)[0] ?? [];
  assert(tag !== undefined, 'a statement has a tag');
  const { withClause: _, ...rest } = node as WithHolder;
  return { [tag]: rest } as unknown as Tree;
}

/** The rows of a query, collected before anything is written; its name as a result. */
export function collectNamed(
  source: StatementSource,
  { name, query, columnNames }: NamedQuery,
): string {
  assert('SelectStmt' in query, 'a query');
  const select: SelectNode = query.SelectStmt;
  const { block } = analyze(source, select);
  const columns = renamed(
    block.columns.map((column) => plainColumn(column.name)),
    columnNames,
  );
  const result = block.open ? null : collect(source, { kind: 'query', select, columns });
  if (result !== null) return result;
  throw refusal(`the rows of "${name}" of WITH cannot be collected before the writes`, oneAtATime);
}
