import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { stringsOf } from '../../sql/names.ts';
import { walk } from '../../sql/walk.ts';
import type { Leaf } from '../leaf.ts';
import { reference, starFields } from '../outputs.ts';
import { findItem, type Scope } from '../scope.ts';
import type { StatementContext } from '../statement-context.ts';
import { tableOidName } from '../table-oid-name.ts';
import { cast, target } from '../tree-builders.ts';
import { replaceNodes } from './replace-nodes.ts';

/**
 * A table has another OID on every server but the same name: rows come with the names of the tables
 * that they are in, partitions for instance, and the home shard reads its own OIDs out of those.
 */

/** As the grammar calls the system column. */
const systemColumn = 'tableoid';

/** The statement names the system column of this table. */
export function readsTableOid(context: StatementContext, leaf: Leaf): boolean {
  return oidReferences(context, leaf).length > 0;
}

/** What the table is asked for. */
export function tableOidTarget({ alias }: Leaf): SqlNode {
  return target(cast(reference([alias, systemColumn]), 'regclass'), tableOidName);
}

/**
 * `replacements`, with what stands for the system column where the result has taken the table's
 * place. The result has one column more than the table: every `*` that reaches it is written out.
 * null where that cannot be.
 */
export function withTableOids(
  context: StatementContext,
  leaf: Leaf,
  replacements: ReadonlyMap<object, unknown>,
): ReadonlyMap<object, unknown> | null {
  if (context.source.written !== undefined || namesByPosition(context)) return null;
  const oid = cast(reference([leaf.alias, tableOidName]), 'oid');
  const all = new Map<object, unknown>(replacements);
  for (const node of oidReferences(context, leaf)) all.set(node, oid);
  const lists = new Map<object, unknown>();
  for (const { select, block } of context.blocks) {
    if (block.body.kind !== 'select' || select.targetList === undefined) continue;
    if (!touches(select, block.body.scope, context.leaves.indexOf(leaf))) continue;
    const { outputs } = block.body;
    const targets = (outputs ?? []).map(({ expression, column }) =>
      expression === null ? null : target(replaceNodes(expression, all), column.name),
    );
    if (outputs === null || targets.includes(null)) return null;
    lists.set(select.targetList, targets);
  }
  return new Map([...all, ...lists]);
}

/** A `*` over the table, or the system column itself, whose name the result column keeps. */
function touches({ targetList = [] }: SelectNode, scope: Scope, index: number): boolean {
  return targetList.some((node) => {
    const value = 'ResTarget' in node ? node.ResTarget.val : undefined;
    if (value === undefined) return false;
    let found = starFields(value) !== null && reaches(scope, index);
    walk(value, (inner) => {
      found ||= namesOid(inner, scope, index);
      return !found && !('SelectStmt' in inner);
    });
    return found;
  });
}

function reaches({ from }: Scope, index: number): boolean {
  return from.some((item) => item.columns.some((column) => column.leaf === index));
}

function oidReferences(context: StatementContext, leaf: Leaf): readonly SqlNode[] {
  const index = context.leaves.indexOf(leaf);
  const found: SqlNode[] = [];
  for (const { select, block } of context.blocks) {
    if (block.body.kind !== 'select') continue;
    const { scope } = block.body;
    walk(Object.values(select), (node) => {
      if ('SelectStmt' in node) return false;
      if (namesOid(node, scope, index)) found.push(node);
      return true;
    });
  }
  return found;
}

function namesOid(node: SqlNode, scope: Scope, index: number): boolean {
  if (!('ColumnRef' in node)) return false;
  const names = stringsOf(node.ColumnRef.fields);
  if (names.at(-1) !== systemColumn) return false;
  const table = names.at(-2);
  if (table !== undefined) {
    const item = findItem(scope, names.length === 3 ? (names[0] ?? null) : null, table);
    const columns = item?.columns ?? [];
    return (
      columns.some((column) => column.leaf === index) &&
      !columns.some(({ name }) => name === systemColumn)
    );
  }
  for (let level: Scope | null = scope; level !== null; level = level.parent) {
    const columns = level.from.flatMap((item) => item.columns);
    if (columns.some(({ name }) => name === systemColumn)) return false;
    const tables = new Set(columns.map((column) => column.leaf));
    tables.delete(null);
    // Of several tables PostgreSQL would not know which is meant.
    if (tables.size > 0) return tables.size === 1 && tables.has(index);
  }
  return false;
}

/** One column more would change what NATURAL JOIN, or a new name for a whole join, means. */
function namesByPosition({ source, blocks }: StatementContext): boolean {
  let found = false;
  const visit = (node: SqlNode) => {
    if ('JoinExpr' in node) {
      found ||= node.JoinExpr.isNatural === true || node.JoinExpr.alias !== undefined;
    }
    return !found;
  };
  walk(source.statement, visit);
  for (const { select } of blocks) walk([select], visit);
  return found;
}
