import { assert } from '../../base/assert.ts';
import type {
  DeleteNode,
  InsertNode,
  RangeVarNode,
  SelectNode,
  SqlNode,
  UpdateNode,
} from '../../sql/ast.ts';
import { replaceNodes } from '../intermediate/replace-nodes.ts';
import { integer, plainSelect, target } from '../tree-builders.ts';

/**
 * A write seen as the query that reads what it needs: the same FROM and WHERE, its expressions as the
 * select list. What is done to that query, such as putting results in the place of subqueries, is
 * done to the write by `apply`.
 */
export type WriteAsSelect = {
  readonly select: SelectNode;
  apply(changed: SelectNode): SqlNode;
};

type Clauses = Pick<SelectNode, 'whereClause' | 'withClause'>;

export function updateAsSelect(node: UpdateNode): WriteAsSelect {
  const values = (node.targetList ?? []).flatMap(assignedValue);
  const returned = node.returningClause?.exprs ?? [];
  return {
    select: joined(node.relation, node, node.fromClause, [...values.map(unnamed), ...returned]),
    apply(changed) {
      const [, ...fromClause] = changed.fromClause ?? [];
      const replaced = withExpressions(node, values, returned, changed);
      return { UpdateStmt: { ...replaced, ...clausesOf(changed), ...listOf({ fromClause }) } };
    },
  };
}

export function deleteAsSelect(node: DeleteNode): WriteAsSelect {
  const returned = node.returningClause?.exprs ?? [];
  return {
    select: joined(node.relation, node, node.usingClause, returned),
    apply(changed) {
      const [, ...usingClause] = changed.fromClause ?? [];
      const replaced = withExpressions(node, [], returned, changed);
      return { DeleteStmt: { ...replaced, ...clausesOf(changed), ...listOf({ usingClause }) } };
    },
  };
}

/** INSERT ... VALUES: the values of all rows, and what follows them. */
export function insertAsSelect(node: InsertNode): WriteAsSelect {
  const { selectStmt, onConflictClause: conflict } = node;
  const rows = selectStmt !== undefined && 'SelectStmt' in selectStmt ? selectStmt.SelectStmt : {};
  const values = [
    ...(rows.valuesLists ?? []).flatMap((row) => ('List' in row ? (row.List.items ?? []) : [])),
    ...(conflict?.targetList ?? []).flatMap(assignedValue),
    ...(conflict?.whereClause === undefined ? [] : [conflict.whereClause]),
  ].filter((value) => !('SetToDefault' in value));
  const returned = node.returningClause?.exprs ?? [];
  return {
    select: joined(node.relation, node, [], [...values.map(unnamed), ...returned]),
    apply(changed) {
      const replaced = withExpressions(node, values, returned, changed);
      const { withClause } = changed;
      return { InsertStmt: { ...replaced, ...(withClause === undefined ? {} : { withClause }) } };
    },
  };
}

/** `(a, b) = ROW(1, 2)` names each of its values by its place in the row. */
function assignedValue(assignment: SqlNode): readonly SqlNode[] {
  const value = 'ResTarget' in assignment ? assignment.ResTarget.val : undefined;
  if (value === undefined || 'SetToDefault' in value) return [];
  return [value];
}

function unnamed(value: SqlNode): SqlNode {
  return target(value);
}

function joined(
  relation: RangeVarNode | undefined,
  clauses: Clauses,
  others: readonly SqlNode[] | undefined,
  targets: readonly SqlNode[],
): SelectNode {
  assert(relation !== undefined, 'a write without a table');
  return {
    ...plainSelect,
    targetList: targets.length === 0 ? [target(integer(1))] : [...targets],
    fromClause: [{ RangeVar: relation }, ...(others ?? [])],
    ...clausesOf(clauses),
  };
}

/** The select list is the values, then what is returned. */
function withExpressions<Write extends UpdateNode | DeleteNode | InsertNode>(
  node: Write,
  values: readonly SqlNode[],
  returned: readonly SqlNode[],
  { targetList = [] }: SelectNode,
): Write {
  const replacements = new Map<object, unknown>();
  values.forEach((value, index) => {
    const changed = targetList[index];
    assert(changed !== undefined && 'ResTarget' in changed, 'values keep their places');
    if (changed.ResTarget.val !== value) replacements.set(value, changed.ResTarget.val);
  });
  returned.forEach((each, index) => {
    const changed = targetList[values.length + index];
    if (changed !== each) replacements.set(each, changed);
  });
  return replaceNodes(node, replacements);
}

function listOf<Lists extends { [name: string]: SqlNode[] }>(lists: Lists): Partial<Lists> {
  return Object.values(lists).some((list) => list.length > 0) ? lists : {};
}

/** Without those that are not there: trees are compared field by field. */
function clausesOf({ whereClause, withClause }: Clauses): Clauses {
  return {
    ...(whereClause === undefined ? {} : { whereClause }),
    ...(withClause === undefined ? {} : { withClause }),
  };
}
