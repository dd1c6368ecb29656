import type { OperatorNode, SqlNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import { walk } from '../../sql/walk.ts';
import { isDeterministic } from '../intermediate/is-deterministic.ts';
import type { Leaf } from '../leaf.ts';
import { type Column, resolveColumn, type Scope } from '../scope.ts';
import type { StatementContext } from '../statement-context.ts';
import { columnOperand } from './key-operand.ts';
import { restrictionsOf } from './key-predicates.ts';

/** Instances [start, end): those whose rows the condition filters. */
export type Filtered = { readonly start: number; readonly end: number };

/** The parts of an expression that must all be true. */
export function conjunctsOf(expression: SqlNode | undefined): readonly SqlNode[] {
  if (expression === undefined) return [];
  if (!('BoolExpr' in expression) || expression.BoolExpr.boolop !== 'AND_EXPR') return [expression];
  return (expression.BoolExpr.args ?? []).flatMap(conjunctsOf);
}

/**
 * Notes what a WHERE or ON clause says: conditions on the keys of the filtered instances, and
 * equalities between keys.
 */
export function applyConjuncts(
  context: StatementContext,
  scope: Scope,
  expression: SqlNode | undefined,
  filtered: Filtered,
): void {
  for (const conjunct of conjunctsOf(expression)) {
    for (const [instance, condition] of restrictionsOf(context, scope, conjunct)) {
      if (isFiltered(filtered, instance)) context.ties.restrict(instance, condition);
    }
    if ('A_Expr' in conjunct) tieOperands(context, scope, conjunct.A_Expr, filtered);
    noteFilter(context, scope, conjunct, filtered);
  }
}

function tieOperands(
  context: StatementContext,
  scope: Scope,
  node: OperatorNode,
  filtered: Filtered,
): void {
  if (node.kind !== 'AEXPR_OP' || builtinName(node.name) !== '=') return;
  const { lexpr: left, rexpr: right } = node;
  if (left === undefined || right === undefined) return;
  if ('RowExpr' in left && 'RowExpr' in right) {
    const rightItems = right.RowExpr.args ?? [];
    (left.RowExpr.args ?? []).forEach((item, index) => {
      tieNodes(context, scope, [item, rightItems[index]], filtered);
    });
  } else tieNodes(context, scope, [left, right], filtered);
}

function tieNodes(
  context: StatementContext,
  scope: Scope,
  [left, right]: readonly [SqlNode, SqlNode | undefined],
  filtered: Filtered,
): void {
  const a = columnOperand(scope, left);
  const b = columnOperand(scope, right);
  if (a !== null && b !== null) tieColumns(context, a.column, b.column, filtered);
}

/** `a = b` holds for every row that matters. */
export function tieColumns(
  context: StatementContext,
  a: Column,
  b: Column,
  filtered: Filtered,
): void {
  for (const left of a.keys) {
    for (const right of b.keys) {
      const leftIn = isFiltered(filtered, left.instance);
      const rightIn = isFiltered(filtered, right.instance);
      if (leftIn && rightIn && left.exact && right.exact) {
        context.ties.tie(left.instance, right.instance);
      } else if (leftIn && right.exact) context.ties.follow(left.instance, right.instance);
      else if (rightIn && left.exact) context.ties.follow(right.instance, left.instance);
    }
  }
}

function isFiltered(filtered: Filtered, instance: number): boolean {
  return instance >= filtered.start && instance < filtered.end;
}

/** A condition on one table alone may also be applied before its rows are joined with others. */
function noteFilter(
  context: StatementContext,
  scope: Scope,
  conjunct: SqlNode,
  filtered: Filtered,
): void {
  const leaf = onlyLeaf(context, scope, conjunct);
  const instance = leaf?.instance ?? null;
  if (leaf === null || instance === null || !isFiltered(filtered, instance)) return;
  leaf.filters.push(conjunct);
}

/** null: it reads several tables, none, or a column that an outer join may make NULL. */
function onlyLeaf(context: StatementContext, scope: Scope, conjunct: SqlNode): Leaf | null {
  const leaves = new Set<number | null>();
  walk(conjunct, (node) => {
    if (!('ColumnRef' in node)) return true;
    const column = resolveColumn({ from: scope.from, parent: null }, node);
    leaves.add(column === null || column.nullable ? null : column.leaf);
    return false;
  });
  const [leaf] = leaves;
  if (leaves.size !== 1 || leaf === null || leaf === undefined) return null;
  return isDeterministic(conjunct) ? (context.leaves[leaf] ?? null) : null;
}
