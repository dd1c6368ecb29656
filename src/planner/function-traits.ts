import type { FunctionCallNode, SqlNode } from '../sql/ast.ts';
import { clockWord } from '../sql/lexer.ts';
import { builtinName } from '../sql/names.ts';
import {
  deterministicFunctions,
  harmlessFunctions,
  orderedAggregateFunctions,
  setReturningFunctions,
} from './builtin-functions.ts';

/** The same result everywhere for the same arguments and settings, no effect. */
export function isDeterministicCall(call: FunctionCallNode): boolean {
  const { userFunction } = call;
  if (userFunction !== undefined) return userFunction === 'function' || userFunction === 'set';
  const name = builtinName(call.funcname) ?? '';
  // Of one argument it is the time until today.
  return deterministicFunctions.has(name) || (name === 'age' && call.args?.length === 2);
}

/** No effect on data, locks or the session, though two servers may answer differently. */
export function isHarmlessCall(call: FunctionCallNode): boolean {
  const { userFunction } = call;
  if (userFunction !== undefined) return userFunction !== 'unknown';
  return harmlessFunctions.has(builtinName(call.funcname) ?? '');
}

/** An aggregate whose result may depend on the order of the rows, which is each server's own. */
export function isOrderedAggregate(call: FunctionCallNode): boolean {
  const { userFunction } = call;
  if (userFunction !== undefined) return userFunction === 'aggregate';
  return orderedAggregateFunctions.has(builtinName(call.funcname) ?? '');
}

export function isSetReturning(call: FunctionCallNode): boolean {
  const { userFunction } = call;
  if (userFunction !== undefined) return userFunction === 'set' || userFunction === 'unknown';
  return setReturningFunctions.has(builtinName(call.funcname) ?? '');
}

/** `'now'`, or a cast to an object's OID: the value is that of the moment, or of one server. */
export function isMovingValue(node: SqlNode): boolean {
  if ('A_Const' in node) return clockWord.test(node.A_Const.sval?.sval ?? '');
  if (!('TypeCast' in node)) return false;
  return (builtinName(node.TypeCast.typeName?.names) ?? '').startsWith('reg');
}
