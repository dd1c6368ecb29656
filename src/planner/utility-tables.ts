import type { RangeVarNode, SqlNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import { tagOf } from '../sql/walk.ts';
import type { PlanRequest } from './plan-request.ts';
import { relationOf } from './relation-item.ts';
import type { StatementContext } from './statement-context.ts';

/** Statements whose tables are all named in them, and which touch nothing else. */
const byTable = [
  'CreateStmt',
  'CreateTableAsStmt',
  'AlterTableStmt',
  'DropStmt',
  'RenameStmt',
  'IndexStmt',
  'ViewStmt',
  'RefreshMatViewStmt',
  'CreateSeqStmt',
  'AlterSeqStmt',
  'TruncateStmt',
  'LockStmt',
  'VacuumStmt',
  'ClusterStmt',
  'CopyStmt',
  'GrantStmt',
  'CommentStmt',
];

const relationTypes = [
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_COLUMN',
  'OBJECT_TABCONSTRAINT',
];

/**
 * Whether a utility statement concerns the home shard's tables alone. The name of an index does not
 * say whose it is, so only its creation is understood.
 */
export function isOnHomeTables(
  request: PlanRequest,
  context: StatementContext,
  statement: SqlNode,
): 'home' | 'sharded' | 'unknown' {
  if (!byTable.includes(tagOf(statement)) || !concernsRelations(statement)) return 'unknown';
  const tables = tablesIn(statement);
  if (tables.length === 0) return 'unknown';
  return tables.some((table) => isSharded(request, context, table)) ? 'sharded' : 'home';
}

function concernsRelations(statement: SqlNode): boolean {
  const type = objectType(statement);
  if (type !== undefined && !relationTypes.includes(type)) return false;
  return !('GrantStmt' in statement) || statement.GrantStmt.targtype === 'ACL_TARGET_OBJECT';
}

function objectType(statement: SqlNode): string | undefined {
  if ('DropStmt' in statement) return statement.DropStmt.removeType;
  if ('RenameStmt' in statement) return statement.RenameStmt.renameType;
  if ('CommentStmt' in statement) return statement.CommentStmt.objtype;
  if ('AlterTableStmt' in statement) return statement.AlterTableStmt.objtype;
  return 'GrantStmt' in statement ? statement.GrantStmt.objtype : undefined;
}

/** The relations that a statement names. Those whose columns LIKE takes over are not among them. */
export function tablesIn(statement: SqlNode): readonly RangeVarNode[] {
  const found: RangeVarNode[] = [];
  const names = 'CommentStmt' in statement ? [statement.CommentStmt.object] : [];
  const dropped = 'DropStmt' in statement ? (statement.DropStmt.objects ?? []) : names;
  const isColumn = 'CommentStmt' in statement && statement.CommentStmt.objtype !== 'OBJECT_TABLE';
  for (const object of dropped) {
    if (object === undefined || !('List' in object)) continue;
    const parts = stringsOf(object.List.items);
    found.push(rangeVar(isColumn && parts.length > 1 ? parts.slice(0, -1) : parts));
  }
  collect(statement, found);
  return found;
}

/** The tree holds most tables untagged, in fields like `relation`. */
function collect(value: unknown, found: RangeVarNode[]): void {
  if (typeof value !== 'object' || value === null) return;
  if ('TableLikeClause' in value) return;
  if ('relname' in value) found.push(value as RangeVarNode);
  for (const child of Object.values(value)) collect(child, found);
}

function rangeVar(parts: readonly string[]): RangeVarNode {
  const [name, schema] = [...parts].reverse();
  return { relname: name ?? '', ...(schema === undefined ? {} : { schemaname: schema }) };
}

/** Also a table that is listed but does not exist yet, and a sequence that all shards count on. */
export function isSharded(
  request: PlanRequest,
  context: StatementContext,
  node: RangeVarNode,
): boolean {
  const relation = relationOf(context, node);
  if (relation !== null) {
    return relation.sharding.kind !== 'local' || relation.isInterleaved === true;
  }
  const schemas = node.schemaname === undefined ? request.searchPath : [node.schemaname];
  return schemas.some((schema) => request.tables.has(`${schema}.${node.relname ?? ''}`));
}
