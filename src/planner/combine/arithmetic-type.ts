import type { FunctionCallNode, OperatorNode, SqlNode } from '../../sql/ast.ts';
import { slotOf } from '../../sql/bind-slots.ts';
import { builtinName } from '../../sql/names.ts';
import { simpleTypeName } from '../keys/key-operand.ts';
import { resolveColumn, type Scope } from '../scope.ts';
import type { StatementContext } from '../statement-context.ts';

/** Each is converted to those after it without being asked to. */
const numbers = ['int2', 'int4', 'int8', 'numeric', 'float4', 'float8'];

/** Whatever their arguments are. */
const returnTypes: { readonly [name: string]: string } = {
  extract: 'numeric',
  date_part: 'float8',
  length: 'int4',
  char_length: 'int4',
  character_length: 'int4',
  octet_length: 'int4',
  count: 'int8',
  dense_rank: 'int8',
  rank: 'int8',
  row_number: 'int8',
  age: 'interval',
  interval: 'interval',
  justify_days: 'interval',
  justify_hours: 'interval',
  justify_interval: 'interval',
  make_interval: 'interval',
};
/** Of integers they make double precision. */
const roundingFunctions = ['ceil', 'ceiling', 'floor', 'round', 'sign', 'sqrt', 'trunc'];

/** A string literal or NULL takes the type of what stands beside it. */
type Known = string | 'untyped' | null;

/** pg_type.typname of a number or interval, where it is sure; null where only a server can tell. */
export function arithmeticType(
  context: StatementContext,
  scope: Scope,
  expression: SqlNode,
): string | null {
  const type = typeOf(context, scope, expression);
  return type === 'untyped' ? null : type;
}

function typeOf(context: StatementContext, scope: Scope, node: SqlNode | undefined): Known {
  if (node === undefined) return null;
  const inner = (other: SqlNode | undefined) => typeOf(context, scope, other);
  if ('ColumnRef' in node) return columnType(context, scope, node);
  if ('TypeCast' in node) return simpleTypeName(node.TypeCast.typeName);
  if ('A_Const' in node) {
    if (node.A_Const.isnull === true) return 'untyped';
    return node.A_Const.ival === undefined ? null : 'int4';
  }
  if ('ParamRef' in node) return literalType(context, node.ParamRef.number ?? 0);
  if ('A_Expr' in node) return operatorType(node.A_Expr, inner);
  if ('CoalesceExpr' in node) return commonType((node.CoalesceExpr.args ?? []).map(inner));
  if ('MinMaxExpr' in node) return commonType((node.MinMaxExpr.args ?? []).map(inner));
  if ('CaseExpr' in node) {
    const { args = [], defresult } = node.CaseExpr;
    const results = args.map((when) => ('CaseWhen' in when ? inner(when.CaseWhen.result) : null));
    return commonType([...results, ...(defresult === undefined ? [] : [inner(defresult)])]);
  }
  if (!('FuncCall' in node)) return null;
  const call: FunctionCallNode = node.FuncCall;
  const { funcname, args = [], userFunction } = call;
  if (userFunction !== undefined) return null;
  return functionType(builtinName(funcname) ?? '', inner(args[0]), args.length);
}

/** Seen through subqueries. */
function columnType(context: StatementContext, scope: Scope, node: SqlNode): Known {
  const column = resolveColumn(scope, node);
  if (column === null || column.base !== null) return column?.base?.typeName ?? null;
  const { origin } = column;
  return origin === null ? null : arithmeticType(context, origin.scope, origin.expression);
}

function literalType(context: StatementContext, parameterNumber: number): Known {
  const slot = slotOf(parameterNumber);
  const kind = slot === null ? undefined : context.lexed.literals[slot.slot]?.kind;
  if (kind === undefined || kind === 'bit-string') return null;
  return kind === 'string' ? 'untyped' : kind;
}

function operatorType(
  { kind, name, lexpr, rexpr }: OperatorNode,
  typeOfOperand: (node: SqlNode | undefined) => Known,
): Known {
  const sign = builtinName(name) ?? '';
  if (kind !== 'AEXPR_OP' || !['+', '-', '*', '/', '%'].includes(sign)) return null;
  const right = typeOfOperand(rexpr);
  if (lexpr === undefined) return numbers.includes(right ?? '') ? right : null;
  const left = typeOfOperand(lexpr);
  if (sign === '-' && left === right) {
    if (left === 'date') return 'int4';
    if (left === 'timestamp' || left === 'timestamptz') return 'interval';
  }
  // Between real and anything else there is no operator: both become double precision.
  if (left !== right && [left, right].includes('float4')) {
    return numbers.includes(left ?? '') && numbers.includes(right ?? '') ? 'float8' : null;
  }
  return left === 'untyped' && right === 'untyped' ? null : commonType([left, right]);
}

function commonType(types: readonly Known[]): Known {
  let common: Known = 'untyped';
  for (const type of types) {
    if (type === 'untyped' || type === common) continue;
    if (type === null) return null;
    if (common === 'untyped') common = type;
    else if (!numbers.includes(type) || !numbers.includes(common)) return null;
    else if (numbers.indexOf(type) > numbers.indexOf(common)) common = type;
  }
  return common;
}

function functionType(name: string, argument: Known, argumentCount: number): Known {
  const known = Object.hasOwn(returnTypes, name) ? returnTypes[name] : undefined;
  if (known !== undefined) return known;
  if (argument === null || !(numbers.includes(argument) || argument === 'interval')) return null;
  const isReal = argument === 'float4' || argument === 'float8';
  if (['abs', 'max', 'min'].includes(name)) return argument;
  if (name === 'sum' || name === 'avg') {
    if (argument === 'interval') return argument;
    if (isReal) return name === 'sum' ? argument : 'float8';
    return name === 'sum' && argument !== 'int8' && argument !== 'numeric' ? 'int8' : 'numeric';
  }
  if (!roundingFunctions.includes(name) || argument === 'interval') return null;
  return argument === 'numeric' || argumentCount > 1 ? 'numeric' : 'float8';
}
