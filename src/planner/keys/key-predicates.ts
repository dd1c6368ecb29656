import type { OperatorNode, SqlNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import type { KeyCondition, KeyValue } from '../plan.ts';
import type { Scope } from '../scope.ts';
import type { StatementContext } from '../statement-context.ts';
import { type ColumnOperand, columnOperand, type Operand, valueOperand } from './key-operand.ts';
import { allOf, anyOf } from './key-ties.ts';

/** Conditions by instance; an instance that is not in it is not restricted. */
export type Restrictions = ReadonlyMap<number, KeyCondition>;

const nothing: Restrictions = new Map();
const textTypes = ['text', 'varchar', 'bpchar', 'citext'];
const mirrored: { readonly [operator: string]: string } = {
  '=': '=',
  '<': '>',
  '>': '<',
  '<=': '>=',
  '>=': '<=',
};

/**
 * What `expression` being true says about keys: rows of an instance for which the condition does
 * not hold make it false or NULL. Says too little rather than too much.
 */
export function restrictionsOf(
  context: StatementContext,
  scope: Scope,
  expression: SqlNode,
): Restrictions {
  if ('BoolExpr' in expression) {
    const parts = (expression.BoolExpr.args ?? []).map((argument) =>
      restrictionsOf(context, scope, argument),
    );
    if (expression.BoolExpr.boolop === 'AND_EXPR') return intersection(parts);
    return expression.BoolExpr.boolop === 'OR_EXPR' ? union(parts) : nothing;
  }
  if ('NullTest' in expression) {
    const operand = columnOperand(scope, expression.NullTest.arg);
    const isNull = expression.NullTest.nulltesttype === 'IS_NULL';
    if (operand === null || operand.column.nullable || !isNull) return nothing;
    return onKeys(operand, () => ({ kind: 'none' }));
  }
  if ('A_Expr' in expression) return operatorRestrictions(context, scope, expression.A_Expr);
  return nothing;
}

function intersection(parts: readonly Restrictions[]): Restrictions {
  const merged = new Map<number, KeyCondition>();
  for (const [instance, condition] of parts.flatMap((part) => [...part])) {
    merged.set(instance, allOf([merged.get(instance) ?? { kind: 'all' }, condition]));
  }
  return merged;
}

function union(parts: readonly Restrictions[]): Restrictions {
  const [first = nothing, ...others] = parts;
  const merged = new Map<number, KeyCondition>();
  for (const [instance, condition] of first) {
    const all = [condition];
    for (const other of others) all.push(other.get(instance) ?? { kind: 'all' });
    const either = anyOf(all);
    if (either.kind !== 'all') merged.set(instance, either);
  }
  return merged;
}

function operatorRestrictions(
  context: StatementContext,
  scope: Scope,
  node: OperatorNode,
): Restrictions {
  const operator = builtinName(node.name) ?? '';
  switch (node.kind) {
    case 'AEXPR_OP':
      return comparison(context, scope, node, operator);
    case 'AEXPR_IN':
      return operator === '=' ? inList(context, scope, node) : nothing;
    case 'AEXPR_OP_ANY':
      return operator === '=' ? equalAny(context, scope, node) : nothing;
    case 'AEXPR_LIKE':
      return operator === '~~'
        ? withPattern(context, scope, node, (pattern) => ({ kind: 'like', pattern }))
        : nothing;
    case 'AEXPR_BETWEEN':
      return between(context, scope, node);
    default:
      return nothing;
  }
}

function comparison(
  context: StatementContext,
  scope: Scope,
  node: OperatorNode,
  operator: string,
): Restrictions {
  const { lexpr: left, rexpr: right } = node;
  if (left === undefined || right === undefined) return nothing;
  if ('RowExpr' in left && 'RowExpr' in right) {
    const leftItems = left.RowExpr.args ?? [];
    const rightItems = right.RowExpr.args ?? [];
    if (operator !== '=' || leftItems.length !== rightItems.length) return nothing;
    const pairs = leftItems.map((lexpr, index): OperatorNode => {
      const rexpr = rightItems[index];
      return rexpr === undefined ? { lexpr } : { lexpr, rexpr };
    });
    return intersection(pairs.map((pair) => comparison(context, scope, pair, '=')));
  }
  if (operator === '^@') {
    return withPattern(context, scope, node, (prefix) => ({ kind: 'starts-with', prefix }));
  }
  const direct = columnOperand(scope, left);
  if (direct !== null && direct.column.keys.length > 0) {
    return compareKey(context, direct, operator, right);
  }
  const reverse = columnOperand(scope, right);
  const mirror = mirrored[operator];
  if (reverse === null || mirror === undefined) return nothing;
  return compareKey(context, reverse, mirror, left);
}

function compareKey(
  context: StatementContext,
  operand: ColumnOperand,
  operator: string,
  other: SqlNode,
): Restrictions {
  return onKeys(operand, (instance) => {
    const keyType = keyTypeOf(context, instance);
    const value = valueOperand(context, other, keyType);
    if (value === null || !(operator in mirrored)) return { kind: 'all' };
    if (value === 'null') return { kind: 'none' };
    if (operator === '=') return { kind: 'equal', value };
    if (!ordersLikeTheMap(operand, keyType)) return { kind: 'all' };
    const limit = { value, inclusive: operator.endsWith('=') };
    const upper = operator.startsWith('<');
    return { kind: 'range', low: upper ? null : limit, high: upper ? limit : null };
  });
}

function inList(context: StatementContext, scope: Scope, node: OperatorNode): Restrictions {
  const { lexpr, rexpr } = node;
  if (lexpr === undefined || rexpr === undefined || !('List' in rexpr)) return nothing;
  const items = rexpr.List.items ?? [];
  if (!('RowExpr' in lexpr)) return inValues(context, scope, lexpr, items);
  const parts = (lexpr.RowExpr.args ?? []).map((part, index) => {
    const values = items.map((item) =>
      'RowExpr' in item ? item.RowExpr.args?.[index] : undefined,
    );
    const known = values.filter((value) => value !== undefined);
    return known.length === items.length ? inValues(context, scope, part, known) : nothing;
  });
  return intersection(parts);
}

function inValues(
  context: StatementContext,
  scope: Scope,
  tested: SqlNode,
  items: readonly SqlNode[],
): Restrictions {
  const operand = columnOperand(scope, tested);
  if (operand === null) return nothing;
  return onKeys(operand, (instance) => {
    const keyType = keyTypeOf(context, instance);
    // A NULL of some type still gives its type to the whole list.
    if (items.some((item) => 'TypeCast' in item && isNull(item.TypeCast.arg))) return anyKey;
    return inCondition(items.map((item) => valueOperand(context, item, keyType)));
  });
}

const anyKey: KeyCondition = { kind: 'all' };

function isNull(node: SqlNode | undefined): boolean {
  return node !== undefined && 'A_Const' in node && node.A_Const.isnull === true;
}

/** PostgreSQL gives the whole list one type, so casts must agree. NULL equals nothing. */
function inCondition(operands: readonly (Operand | null)[]): KeyCondition {
  const values: KeyValue[] = [];
  for (const operand of operands) {
    if (operand === null) return anyKey;
    if (operand !== 'null') values.push(operand);
  }
  const castTypes = new Set(values.map((value) => value.castType));
  if (castTypes.size > 1) return anyKey;
  return values.length === 0 ? { kind: 'none' } : { kind: 'in', values };
}

function equalAny(context: StatementContext, scope: Scope, node: OperatorNode): Restrictions {
  const operand = columnOperand(scope, node.lexpr);
  const { rexpr } = node;
  if (operand === null || rexpr === undefined) return nothing;
  if ('A_ArrayExpr' in rexpr) {
    return node.lexpr === undefined
      ? nothing
      : inValues(context, scope, node.lexpr, rexpr.A_ArrayExpr.elements ?? []);
  }
  return onKeys(operand, (instance) => {
    const array = valueOperand(context, rexpr, `_${keyTypeOf(context, instance)}`);
    if (array === null) return { kind: 'all' };
    return array === 'null' ? { kind: 'none' } : { kind: 'equal-any', array };
  });
}

function withPattern(
  context: StatementContext,
  scope: Scope,
  node: OperatorNode,
  make: (value: KeyValue) => KeyCondition,
): Restrictions {
  const operand = columnOperand(scope, node.lexpr);
  if (operand === null) return nothing;
  return onKeys(operand, (instance) => {
    const keyType = keyTypeOf(context, instance);
    const value = valueOperand(context, node.rexpr, 'text');
    if (value === null || !textTypes.includes(keyType)) return { kind: 'all' };
    return value === 'null' ? { kind: 'none' } : make(value);
  });
}

function between(context: StatementContext, scope: Scope, node: OperatorNode): Restrictions {
  const operand = columnOperand(scope, node.lexpr);
  const { rexpr } = node;
  if (operand === null || rexpr === undefined || !('List' in rexpr)) return nothing;
  const [low, high] = rexpr.List.items ?? [];
  if (low === undefined || high === undefined) return nothing;
  return intersection([
    compareKey(context, operand, '>=', low),
    compareKey(context, operand, '<=', high),
  ]);
}

function onKeys(
  operand: ColumnOperand,
  condition: (instance: number) => KeyCondition,
): Restrictions {
  const found = new Map<number, KeyCondition>();
  for (const { instance } of operand.column.keys) {
    const known = condition(instance);
    if (known.kind !== 'all') found.set(instance, known);
  }
  return found;
}

function keyTypeOf(context: StatementContext, instance: number): string {
  return context.ties.distribution(instance)?.keyType ?? '';
}

/** The map orders text keys by bytes; `<` does so under such a collation only. */
function ordersLikeTheMap(operand: ColumnOperand, keyType: string): boolean {
  if (!textTypes.includes(keyType)) return true;
  return keyType !== 'citext' && (operand.byteOrder || operand.column.base?.collation === 'c');
}
