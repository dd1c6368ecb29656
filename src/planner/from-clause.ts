import { assert } from '../base/assert.ts';
import type { AliasNode, JoinNode, SqlNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import type { BlockAnalyzer } from './block-analyzer.ts';
import { type CteScope, findCte } from './cte-scope.ts';
import { applyConjuncts, type Filtered, tieColumns } from './keys/conjuncts.ts';
import { joinShape } from './keys/join-shape.ts';
import { relationItem } from './relation-item.ts';
import {
  type Column,
  type FromItem,
  isSameType,
  plainColumn,
  renamed,
  type Scope,
} from './scope.ts';
import type { StatementContext, ViewReference } from './statement-context.ts';
import { noteStatementFacts } from './statement-facts.ts';
import { tableExpression } from './table-expression.ts';
import { viewQuery } from './view-query.ts';

/** What the elements of a FROM clause are analysed with. */
export type FromSurroundings = {
  readonly context: StatementContext;
  readonly ctes: CteScope | null;
  /** The outer queries. */
  readonly parent: Scope | null;
  readonly blocks: BlockAnalyzer;
};

/** The whole list of a FROM clause; LATERAL elements see those before them. */
export function analyzeFrom(
  surroundings: FromSurroundings,
  nodes: readonly SqlNode[],
): readonly FromItem[] {
  const items: FromItem[] = [];
  for (const node of nodes) items.push(analyzeItem(surroundings, node, items));
  return items;
}

function analyzeItem(
  surroundings: FromSurroundings,
  node: SqlNode,
  before: readonly FromItem[],
): FromItem {
  const { context, parent } = surroundings;
  const start = context.ties.count;
  if ('RangeVar' in node) return rangeVar(surroundings, node);
  if ('JoinExpr' in node) return join(surroundings, node.JoinExpr, before);
  if ('RangeSubselect' in node) {
    const { subquery, alias, lateral } = node.RangeSubselect;
    const visible = lateral === true ? { from: before, parent } : parent;
    const nested = surroundings.blocks.nested(context, subquery, visible, surroundings.ctes);
    return subqueryItem(nested, alias, start, context.ties.count);
  }
  if ('RangeFunction' in node) {
    const { alias } = node.RangeFunction;
    surroundings.blocks.subLinks(context, node, { from: before, parent }, surroundings.ctes);
    return openItem(alias?.aliasname ?? '', 'replicated', start, context.ties.count);
  }
  if ('RangeTableSample' in node && node.RangeTableSample.relation !== undefined) {
    const { relation } = node.RangeTableSample;
    const item = analyzeItem(surroundings, relation, before);
    if ('RangeVar' in relation) context.samples.set(relation.RangeVar, node);
    if (item.shape !== 'partitioned') {
      const hint = 'Sample distributed tables only, or restrict them to one key.';
      context.refuseAlways('TABLESAMPLE of other than distributed tables across shards', hint);
    }
    return item;
  }
  surroundings.blocks.subLinks(context, node, { from: before, parent }, surroundings.ctes);
  const { count: end } = context.ties;
  const expression = tableExpression(node);
  if (expression === null) return openItem('', 'replicated', start, end);
  const columns = expression.columnNames.map(plainColumn);
  const rows = { columns, open: false, shape: 'replicated', isSorted: false } as const;
  return subqueryItem(rows, expression.alias, start, end);
}

function rangeVar(surroundings: FromSurroundings, reference: ViewReference['node']): FromItem {
  const { context, ctes } = surroundings;
  const node = reference.RangeVar;
  const start = context.ties.count;
  context.visited.add(node);
  const cte = node.schemaname === undefined ? findCte(ctes, node.relname ?? '') : null;
  if (cte === null) {
    return viewItem(surroundings, reference) ?? relationItem(context, node);
  }
  const alias: AliasNode = node.alias ?? { aliasname: cte.name };
  const nested = surroundings.blocks.cte(context, cte);
  if (nested === null) {
    return openItem(alias.aliasname ?? '', 'replicated', start, context.ties.count);
  }
  return subqueryItem(nested, alias, start, context.ties.count);
}

/** A view over distributed tables is the query behind it. */
function viewItem(
  { context, blocks }: FromSurroundings,
  node: ViewReference['node'],
): FromItem | null {
  const { schemaname, relname = '', alias } = node.RangeVar;
  const relation = context.schema.relation(schemaname ?? null, relname, context.searchPath);
  const query = relation?.readsDistributed === true ? viewQuery(relation, context.schema) : null;
  if (relation === null || query === null) return null;
  context.visited.add(node.RangeVar);
  context.views.push({ node, relation, query });
  if (!noteStatementFacts(context, { SelectStmt: query })) context.writes = true;
  const start = context.ties.count;
  const nested = blocks.nested(context, { SelectStmt: query }, null, null);
  const named = renamed(
    nested.columns,
    relation.columns.map((column) => column.name),
  );
  const name = { aliasname: alias?.aliasname ?? relname, colnames: alias?.colnames ?? [] };
  return subqueryItem({ ...nested, columns: named }, name, start, context.ties.count);
}

function openItem(alias: string, shape: FromItem['shape'], start: number, end: number): FromItem {
  const items = [{ alias, schema: null, columns: [] }];
  return { items, columns: [], open: true, shape, isSorted: false, start, end };
}

function subqueryItem(
  nested: Pick<FromItem, 'columns' | 'open' | 'shape' | 'isSorted'>,
  alias: AliasNode | undefined,
  start: number,
  end: number,
): FromItem {
  const columns = renamed(nested.columns, stringsOf(alias?.colnames));
  const items = [{ alias: alias?.aliasname ?? '', schema: null, columns }];
  const { open, shape, isSorted } = nested;
  return { items, columns, open, shape, isSorted, start, end };
}

function join(
  surroundings: FromSurroundings,
  node: JoinNode,
  before: readonly FromItem[],
): FromItem {
  const { context, parent } = surroundings;
  assert(node.larg !== undefined && node.rarg !== undefined, 'a join without two sides');
  const left = analyzeItem(surroundings, node.larg, before);
  const right = analyzeItem(surroundings, node.rarg, [...before, left]);
  const filtered = filteredBy(node, left, right);
  const sides = outerSides(node, left, right);
  const using = node.isNatural === true ? commonNames(left, right) : stringsOf(node.usingClause);
  if (node.isNatural === true && (left.open || right.open)) {
    context.refuseMulti(
      'NATURAL JOIN of unknown columns is not supported across shards',
      'Use ON.',
    );
  }
  for (const name of using) {
    const a = columnNamed(left, name);
    const b = columnNamed(right, name);
    if (a !== null && b !== null) tieColumns(context, a, b, filtered);
  }
  const scope = { from: [...before, left, right], parent };
  applyConjuncts(context, scope, node.quals, filtered);
  if (node.jointype === 'JOIN_FULL' && !(isReplicated(left) && isReplicated(right))) {
    const hint = 'Use LEFT JOIN, or restrict both tables to one key.';
    context.refuseMulti('FULL JOIN is not supported across shards', hint);
  }
  const joined = combine(node, sides.left, sides.right, using);
  const inner = { from: [...before, joined], parent };
  surroundings.blocks.subLinks(context, node.quals, inner, surroundings.ctes, filtered);
  return { ...joined, end: context.ties.count };
}

function isReplicated(item: FromItem): boolean {
  return item.shape === 'replicated';
}

/** An ON clause filters the nullable side only; both sides of an inner join; none of a full one. */
function filteredBy(node: JoinNode, left: FromItem, right: FromItem): Filtered {
  switch (node.jointype) {
    case 'JOIN_INNER':
      return { start: left.start, end: right.end };
    case 'JOIN_LEFT':
      return right;
    case 'JOIN_RIGHT':
      return left;
    default:
      return { start: 0, end: 0 };
  }
}

function outerSides(node: JoinNode, left: FromItem, right: FromItem) {
  const leftNullable = node.jointype === 'JOIN_RIGHT' || node.jointype === 'JOIN_FULL';
  const rightNullable = node.jointype === 'JOIN_LEFT' || node.jointype === 'JOIN_FULL';
  return {
    left: leftNullable ? nullableItem(left) : left,
    right: rightNullable ? nullableItem(right) : right,
  };
}

function nullableItem(item: FromItem): FromItem {
  const nullable = (column: Column): Column => ({ ...column, nullable: true });
  const items = item.items.map((named) => ({ ...named, columns: named.columns.map(nullable) }));
  return { ...item, items, columns: item.columns.map(nullable) };
}

function combine(
  node: JoinNode,
  left: FromItem,
  right: FromItem,
  using: readonly string[],
): FromItem {
  const merged = using.map((name) => mergedColumn(node, left, right, name));
  const rest = [...left.columns, ...right.columns].filter((column) => !using.includes(column.name));
  const all = [...merged, ...rest];
  // Under another name they cannot be named in a query of their table alone.
  const columns =
    node.alias === undefined ? all : renamed(all.map(withoutLeaf), stringsOf(node.alias.colnames));
  const usingAlias = node.join_using_alias?.aliasname;
  const items =
    node.alias !== undefined
      ? [{ alias: node.alias.aliasname ?? '', schema: null, columns }]
      : [...left.items, ...right.items];
  if (usingAlias !== undefined) {
    items.push({ alias: usingAlias, schema: null, columns: merged.map(withoutLeaf) });
  }
  return {
    items,
    columns,
    open: left.open || right.open,
    shape: joinShape(node.jointype, left.shape, right.shape),
    isSorted: false,
    start: left.start,
    end: right.end,
  };
}

function withoutLeaf(column: Column): Column {
  return { ...column, leaf: null };
}

function mergedColumn(node: JoinNode, left: FromItem, right: FromItem, name: string): Column {
  const a = columnNamed(left, name);
  const b = columnNamed(right, name);
  if (a === null || b === null || node.jointype === 'JOIN_FULL') return plainColumn(name);
  // Columns of different types meet in a third, in which values compared with them are read.
  if (!isSameType(a, b)) return plainColumn(name);
  if (node.jointype === 'JOIN_LEFT') return a;
  if (node.jointype === 'JOIN_RIGHT') return b;
  return { ...a, keys: [...a.keys, ...b.keys] };
}

function commonNames(left: FromItem, right: FromItem): readonly string[] {
  const rightNames = new Set(right.columns.map((column) => column.name));
  return left.columns.map((column) => column.name).filter((name) => rightNames.has(name));
}

function columnNamed(item: FromItem, name: string): Column | null {
  const found = item.columns.filter((column) => column.name === name);
  return found.length === 1 ? (found[0] ?? null) : null;
}
