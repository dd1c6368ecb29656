import type { FunctionCallNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import { arithmeticType } from '../combine/arithmetic-type.ts';
import { columnTypeOf } from '../expression-collation.ts';
import type { Scope } from '../scope.ts';
import type { StatementContext } from '../statement-context.ts';

const numbers = ['int2', 'int4', 'int8', 'float4', 'float8', 'numeric'];
const ordered = [
  ...numbers,
  ...'bpchar bytea date inet interval money oid text time timestamp timestamptz timetz'.split(' '),
];
const truths = ['bool'];
const statistical = 'stddev stddev_pop stddev_samp var_pop var_samp variance'.split(' ');

/** Types that PostgreSQL's own aggregates are defined for (pg_proc, PostgreSQL 18). */
const takenTypes: ReadonlyMap<string, readonly string[]> = new Map([
  ['sum', [...numbers, 'interval', 'money']],
  ['avg', [...numbers, 'interval']],
  ['min', ordered],
  ['max', ordered],
  ['bool_and', truths],
  ['bool_or', truths],
  ['every', truths],
  ...statistical.map((name) => [name, numbers] as const),
]);

/**
 * Whether the call is certainly one of PostgreSQL's own aggregate of that name, whose results for
 * parts of the rows make that for all. Where users have others of the same name, it is if it takes
 * the argument's type as it is, for then no other is preferred (manual, 10.3).
 */
export function isBuiltinAggregate(
  context: StatementContext,
  scope: Scope,
  call: FunctionCallNode,
): boolean {
  if (call.userFunction === undefined) return true;
  const [argument, ...more] = call.args ?? [];
  if (argument === undefined || more.length > 0) return false;
  const type = arithmeticType(context, scope, argument) ?? columnTypeOf(scope, argument);
  return (takenTypes.get(builtinName(call.funcname) ?? '') ?? []).includes(type ?? '');
}
