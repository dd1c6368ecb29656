import type { RangeVarNode, SqlNode } from '../../sql/ast.ts';
import { stringsOf } from '../../sql/names.ts';
import type { PlanRequest } from '../plan-request.ts';
import { isOfEveryShard, residenceOf } from './relation-residence.ts';
import { rangeVarsIn } from './utility-subjects.ts';

/**
 * The statement as the other shards run it: without the objects that only the home shard has. null
 * when it does not come apart.
 */
export function withoutHomeObjects(request: PlanRequest, statement: SqlNode): SqlNode | null {
  const isShared = (part: SqlNode) => {
    const [node] = rangeVarsIn(part);
    return node !== undefined && isOfEveryShard(residenceOf(request, node));
  };
  if ('GrantStmt' in statement) {
    const { objects = [] } = statement.GrantStmt;
    return { GrantStmt: { ...statement.GrantStmt, objects: objects.filter(isShared) } };
  }
  if ('LockStmt' in statement) {
    const { relations = [] } = statement.LockStmt;
    return { LockStmt: { ...statement.LockStmt, relations: relations.filter(isShared) } };
  }
  if ('VacuumStmt' in statement) {
    const { rels = [] } = statement.VacuumStmt;
    return { VacuumStmt: { ...statement.VacuumStmt, rels: rels.filter(isShared) } };
  }
  if ('DropStmt' in statement) {
    const { objects = [] } = statement.DropStmt;
    const kept = objects.filter((object) => {
      const [relname = '', schemaname] =
        'List' in object ? stringsOf(object.List.items).toReversed() : [];
      const node = schemaname === undefined ? { relname } : { relname, schemaname };
      return isOfEveryShard(residenceOf(request, node));
    });
    return { DropStmt: { ...statement.DropStmt, objects: kept } };
  }
  return null;
}

/** The table that a sequence is said to belong to; null: none is named. */
export function ownerOf(statement: SqlNode): RangeVarNode | null {
  const options =
    'CreateSeqStmt' in statement
      ? statement.CreateSeqStmt.options
      : 'AlterSeqStmt' in statement
        ? statement.AlterSeqStmt.options
        : undefined;
  for (const option of options ?? []) {
    if (!('DefElem' in option) || option.DefElem.defname !== 'owned_by') continue;
    const { arg } = option.DefElem;
    const parts = arg !== undefined && 'List' in arg ? stringsOf(arg.List.items) : [];
    const [relname, schemaname] = parts.slice(0, -1).toReversed();
    if (relname === undefined) return null;
    return schemaname === undefined ? { relname } : { relname, schemaname };
  }
  return null;
}
