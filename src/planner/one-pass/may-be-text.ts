import type { FunctionCallNode, SqlNode } from '../../sql/ast.ts';
import { slotOf } from '../../sql/bind-slots.ts';
import { builtinName } from '../../sql/names.ts';
import { simpleTypeName } from '../keys/key-operand.ts';
import { type Column, resolveColumn, type Scope } from '../scope.ts';
import type { StatementContext } from '../statement-context.ts';

/**
 * Functions none of whose variants returns a type with a collation (pg_proc.prorettype,
 * PostgreSQL 18), and aggregates alike.
 */
const withoutText = new Set(
  `abs acos acosd acosh age area array_to_json ascii asin asind asinh atan atan2 atan2d atand atanh
   avg bit_and bit_count bit_length bit_or bit_xor bool_and bool_or cardinality cbrt ceil ceiling
   char_length character_length cos cosd cosh cot cotd count crc32 crc32c date date_add date_bin
   date_part date_subtract date_trunc daterange decode degrees diameter div erf erfc every exp
   extract factorial float4 float8 floor gamma gcd get_bit get_byte int2 int4 int8 interval isclosed
   isempty isfinite isopen json_array_length jsonb_array_length justify_days justify_hours
   justify_interval lcm length lgamma ln log log10 make_date make_interval make_time make_timestamp
   make_timestamptz masklen min_scale mod num_nonnulls num_nulls numeric octet_length pi position
   pow power radians radius regexp_count regexp_instr regexp_like round scale set_bit set_byte
   sha224 sha256 sha384 sha512 sign sin sind sinh sqrt starts_with stddev stddev_pop stddev_samp
   strpos sum tan tand tanh time timestamp timestamptz timetz timezone to_date to_json to_jsonb
   to_number to_timestamp to_tsquery to_tsvector trim_scale trunc ts_rank ts_rank_cd tsrange
   tstzrange uuid_extract_timestamp uuid_extract_version var_pop var_samp variance width_bucket`
    .trim()
    .split(/\s+/),
);

/** Those whose built-in variants return no text; what they return is looked at again at run time. */
const operatorsWithoutText = new Set(
  '+ - * / % ^ & | # ~ << >> = <> < > <= >= ~~ !~~ && @> <@'.split(' '),
);
const textTypes = ['text', 'varchar', 'bpchar', 'name', 'citext'];

/**
 * Whether the values may turn out to have a collation, so that only PostgreSQL can order them. False
 * is a good guess, not a proof: servers say the type with their rows.
 */
export function mayBeText(
  context: StatementContext,
  scope: Scope,
  node: SqlNode | undefined,
): boolean {
  if (node === undefined) return false;
  const some = (nodes: readonly (SqlNode | undefined)[] = []) =>
    nodes.some((inner) => mayBeText(context, scope, inner));
  if ('ColumnRef' in node) return mayColumnBeText(context, resolveColumn(scope, node));
  if ('ParamRef' in node) return mayParameterBeText(context, node.ParamRef.number ?? 0);
  if ('A_Const' in node) return node.A_Const.sval !== undefined;
  if ('TypeCast' in node) {
    const type = simpleTypeName(node.TypeCast.typeName);
    return type === null || textTypes.includes(type);
  }
  if ('A_Expr' in node) {
    const { kind, name, lexpr } = node.A_Expr;
    if (kind === 'AEXPR_NULLIF') return some([lexpr]);
    return kind === 'AEXPR_OP' && !operatorsWithoutText.has(builtinName(name) ?? '');
  }
  if ('CoalesceExpr' in node) return some(node.CoalesceExpr.args);
  if ('MinMaxExpr' in node) return some(node.MinMaxExpr.args);
  if ('CaseExpr' in node) return some([...resultsOf(node), node.CaseExpr.defresult]);
  if ('BoolExpr' in node || 'NullTest' in node || 'BooleanTest' in node) return false;
  if (!('FuncCall' in node)) return true;
  const call: FunctionCallNode = node.FuncCall;
  if (call.userFunction !== undefined) return true;
  const name = builtinName(call.funcname) ?? '';
  if (['min', 'max', 'any_value'].includes(name)) return some(call.args);
  return !withoutText.has(name);
}

function resultsOf(
  node: Extract<SqlNode, { CaseExpr: unknown }>,
): readonly (SqlNode | undefined)[] {
  return (node.CaseExpr.args ?? []).map((when) =>
    'CaseWhen' in when ? when.CaseWhen.result : undefined,
  );
}

function mayColumnBeText(context: StatementContext, column: Column | null): boolean {
  if (column === null) return true;
  if (column.base !== null) return column.base.collation !== 'none';
  const { origin } = column;
  return origin === null || mayBeText(context, origin.scope, origin.expression);
}

function mayParameterBeText(context: StatementContext, parameterNumber: number): boolean {
  const slot = slotOf(parameterNumber);
  return slot === null || context.lexed.literals[slot.slot]?.kind === 'string';
}
