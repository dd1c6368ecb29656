import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { stringsOf } from '../../sql/names.ts';
import { walk } from '../../sql/walk.ts';
import type { NamedItem, Scope } from '../scope.ts';
import type { BlockRecord, StatementContext } from '../statement-context.ts';

/** Nothing in the query names a column, or a query of WITH, of the queries around it. */
export function isSelfContained(context: StatementContext, record: BlockRecord): boolean {
  const index = context.blocks.indexOf(record);
  const inner = context.blocks.slice(record.first, index + 1);
  return !readsOuterCte(record) && inner.every((each) => staysInside(each, record.parent));
}

function readsOuterCte({ select, ctes }: BlockRecord): boolean {
  const outer = new Set<string>();
  for (let link = ctes; link !== null; link = link.outer) outer.add(link.cte.name);
  if (outer.size === 0) return false;
  let found = false;
  walk([select], (node) => {
    const isName = 'RangeVar' in node && node.RangeVar.schemaname === undefined;
    if (isName && outer.has(node.RangeVar.relname ?? '')) found = true;
    return !found;
  });
  return found;
}

/** The names in the query's own expressions are found before the scope `end` is reached. */
function staysInside({ select, block, parent }: BlockRecord, end: Scope | null): boolean {
  const scope = block.body.kind === 'select' ? block.body.scope : { from: [], parent };
  const outputs = new Set(block.columns.map((column) => column.name));
  const listed = new Set(listedIn(select));
  let inside = true;
  walk(ownExpressions(select), (node) => {
    if ('SelectStmt' in node) return false;
    if (!('ColumnRef' in node)) return true;
    const fields = (node.ColumnRef.fields ?? []).filter((field) => !('A_Star' in field));
    const names = stringsOf(fields);
    const isStar = fields.length < (node.ColumnRef.fields ?? []).length;
    const isOutput = listed.has(node) && names.length === 1 && outputs.has(names[0] ?? '');
    inside &&= isOutput || isFound(scope, end, names, isStar);
    return false;
  });
  return inside;
}

/** Elements of ORDER BY, GROUP BY and DISTINCT ON: only there can a name be that of an output. */
function listedIn({ sortClause, groupClause, distinctClause }: SelectNode): readonly SqlNode[] {
  return [sortClause, groupClause, distinctClause].flatMap((nodes) =>
    (nodes ?? []).flatMap(leaves),
  );
}

function leaves(node: SqlNode): readonly SqlNode[] {
  if ('SortBy' in node) return node.SortBy.node === undefined ? [] : [node.SortBy.node];
  if ('GroupingSet' in node) return (node.GroupingSet.content ?? []).flatMap(leaves);
  return 'RowExpr' in node ? (node.RowExpr.args ?? []) : [node];
}

/** Of a set operation without its arms, which are queries of their own. */
function ownExpressions(select: SelectNode): unknown {
  const { larg: _, rarg: __, ...own } = select;
  return Object.entries(own).map(([, value]) => value);
}

function isFound(
  scope: Scope | null,
  end: Scope | null,
  names: readonly string[],
  isStar: boolean,
): boolean {
  const [first] = names;
  if (first === undefined) return true;
  for (let level = scope; level !== null && level !== end; level = level.parent) {
    if (names.length === 1 && !isStar && hasColumn(level, first)) return true;
    const table = names.length === 3 || (isStar && names.length === 2) ? names[1] : first;
    const schema = names.length === 3 ? names[0] : null;
    const isItem = (item: NamedItem) =>
      item.alias === table && (schema === null || item.schema === schema);
    if (level.from.some((from) => from.items.some(isItem))) return true;
  }
  return false;
}

function hasColumn(level: Scope, name: string): boolean {
  return level.from.some((item) => item.columns.some((column) => column.name === name));
}
