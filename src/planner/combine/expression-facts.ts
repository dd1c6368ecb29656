import type { SqlNode, SubLinkNode } from '../../sql/ast.ts';
import { tagOf, walk } from '../../sql/walk.ts';
import { isAggregateCall, standardAggregate } from '../aggregate-calls.ts';
import {
  isDeterministicCall,
  isMovingValue,
  isOrderedAggregate,
  isSetReturning,
} from '../function-traits.ts';
import { isPlainReadOfResult } from '../intermediate/is-deterministic.ts';
import { insideOfStandardValues, standardTables, standardValues } from '../standard-syntax.ts';
import { TreeTest } from './tree-test.ts';

/** Nodes that are a value by themselves and can be a column of a result. */
const values = new Set([
  ...standardValues,
  ...(
    'A_ArrayExpr A_Expr A_Indirection BoolExpr BooleanTest CaseExpr CoalesceExpr CollateClause ' +
    'ColumnRef FuncCall GroupingFunc MinMaxExpr NullTest SubLink TypeCast'
  ).split(' '),
]);

const insideOfValues =
  'A_Const A_Indices A_Star Boolean CaseWhen ColumnDef CommonTableExpr Float GroupingSet Integer JoinExpr ' +
  'List ParamRef RangeFunction RangeSubselect RangeVar ResTarget RowExpr SelectStmt SortBy String ' +
  'WindowDef';
const understood = new Set([
  ...values,
  ...insideOfValues.split(' '),
  ...insideOfStandardValues,
  ...standardTables,
]);

export function isValue(node: SqlNode): boolean {
  return values.has(tagOf(node));
}

/** What stands in an expression itself, not in a subquery in it, and what it depends on. */
export class ExpressionFacts {
  readonly #pure = new TreeTest((node) => {
    if ('SubLink' in node) return isPureQuery(node);
    return isConstant(node) && !returnsSet(node) ? null : false;
  });
  readonly #fixed = new TreeTest((node) => {
    if ('ColumnRef' in node) return false;
    if (!('SubLink' in node)) return null;
    return isClosed(node.SubLink) && isFixed(node.SubLink.testexpr);
  });
  readonly #grouped = without((node) =>
    'FuncCall' in node
      ? isAggregateCall(node.FuncCall)
      : 'GroupingFunc' in node || standardAggregate(node) !== null,
  );
  readonly #windowed = without((node) => 'FuncCall' in node && node.FuncCall.over !== undefined);
  readonly #collated = without((node) => 'CollateClause' in node);

  /**
   * The same value on every server for the same rows: shards may compute it. Aggregates, windows and
   * subqueries are looked into, not ruled out.
   */
  isPure(expression: unknown): boolean {
    return this.#pure.passes(expression);
  }

  /** Reads no row, neither of FROM nor of any table but intermediate results. */
  isFixed(expression: unknown): boolean {
    return this.#fixed.passes(expression);
  }

  /** It has an aggregate, or GROUPING(). */
  isGrouped(expression: unknown): boolean {
    return !this.#grouped.passes(expression);
  }

  hasWindow(expression: unknown): boolean {
    return !this.#windowed.passes(expression);
  }

  hasCollation(expression: unknown): boolean {
    return !this.#collated.passes(expression);
  }
}

export function isPure(expression: unknown): boolean {
  return new ExpressionFacts().isPure(expression);
}

export function isFixed(expression: unknown): boolean {
  return new ExpressionFacts().isFixed(expression);
}

function without(unwanted: (node: SqlNode) => boolean): TreeTest {
  // What is looked for in the rows of a subquery stands outside of it.
  const test: TreeTest = new TreeTest((node) => {
    if ('SubLink' in node) return test.passes(node.SubLink.testexpr);
    return unwanted(node) ? false : null;
  });
  return test;
}

function isPureQuery(query: SqlNode): boolean {
  let answer = true;
  walk(query, (node) => {
    answer &&= isConstant(node);
    return answer;
  });
  return answer;
}

function isConstant(node: SqlNode): boolean {
  return understood.has(tagOf(node)) && !isMoving(node);
}

function returnsSet(node: SqlNode): boolean {
  return 'FuncCall' in node && isSetReturning(node.FuncCall);
}

function isMoving(node: SqlNode): boolean {
  if (!('FuncCall' in node)) return isMovingValue(node);
  return !isDeterministicCall(node.FuncCall) && !isOrderedAggregate(node.FuncCall);
}

/** Its query can run beside any other: it reads nothing, or a result that travels along. */
export function isClosed({ subselect }: SubLinkNode): boolean {
  if (subselect === undefined || !('SelectStmt' in subselect)) return false;
  if (isPlainReadOfResult(subselect.SelectStmt)) return true;
  let answer = true;
  walk(subselect, (node) => {
    if ('ColumnRef' in node || 'RangeVar' in node) answer = false;
    return answer;
  });
  return answer;
}
