import type { FunctionCallNode, SqlNode } from '../sql/ast.ts';
import { slotOf } from '../sql/bind-slots.ts';
import { builtinName, stringsOf } from '../sql/names.ts';
import type { ValueRef } from '../sql/statement.ts';
import { walk } from '../sql/walk.ts';
import { refusal } from './refuse.ts';
import type { SessionEffect } from './session-effect.ts';
import { sessionFunction } from './session-functions.ts';
import type { StatementContext } from './statement-context.ts';

/**
 * What a call of PostgreSQL's own function `name` does to the session goes into the context.
 * Throws what no statement may call.
 */
export function noteSessionFunction(
  context: StatementContext,
  call: FunctionCallNode,
  name: string,
): void {
  const known = sessionFunction(name);
  if (known === null) return;
  if (known.kind === 'refused') throw refusal(`function ${name} is not supported`, known.hint);
  context.usesHome = true;
  context.homeFunction ??= name;
  if (known.effect === 'sets') noteSetting(context, call);
  else if (known.effect !== 'nothing') noteEffect(context, known.effect, name);
}

function noteSetting(context: StatementContext, call: FunctionCallNode): void {
  const { args = [] } = call;
  const name = valueRef(args[0]) ?? valueOfColumn(context, call, args[0]);
  const local = booleanOf(args[2]) ?? valueRef(args[2]);
  if (name === null || local === null) {
    throw refusal(
      'set_config() with a computed name or third argument is not supported',
      'Give them as literals or parameters.',
    );
  }
  const { effect } = context;
  if (effect !== null && effect.kind !== 'sets') throw mixed('set_config');
  context.effect = { kind: 'sets', calls: [...(effect?.calls ?? []), { name, local }] };
}

/**
 * The value that `SELECT set_config(name, ...) FROM pg_settings WHERE name = '...'` gives a column;
 * null for everything else. pg_dump sets so what an older server may not know.
 */
function valueOfColumn(
  { source: { statement } }: StatementContext,
  call: FunctionCallNode,
  node: SqlNode | undefined,
): ValueRef | null {
  if (node === undefined || !('ColumnRef' in node) || !('SelectStmt' in statement)) return null;
  const { targetList = [], fromClause = [], whereClause } = statement.SelectStmt;
  const isTarget = targetList.some(
    (target) =>
      'ResTarget' in target &&
      target.ResTarget.val !== undefined &&
      'FuncCall' in target.ResTarget.val &&
      target.ResTarget.val.FuncCall === call,
  );
  const isOneTable = fromClause.length === 1 && fromClause.every((item) => 'RangeVar' in item);
  if (!isTarget || !isOneTable || whereClause === undefined || !('A_Expr' in whereClause)) {
    return null;
  }
  const { kind, name, lexpr, rexpr } = whereClause.A_Expr;
  if (kind !== 'AEXPR_OP' || builtinName(name) !== '=') return null;
  if (lexpr === undefined || !('ColumnRef' in lexpr)) return null;
  const [compared, passed] = [lexpr, node].map(({ ColumnRef }) => stringsOf(ColumnRef.fields));
  return compared?.join('.') === passed?.join('.') ? valueRef(rexpr) : null;
}

function noteEffect(context: StatementContext, kind: 'keeps' | 'ends', name: string): void {
  const { effect } = context;
  if (effect?.kind === 'sets') throw mixed(name);
  if (effect?.kind !== 'keeps') context.effect = effectOf(kind);
}

function effectOf(kind: 'keeps' | 'ends'): SessionEffect {
  return kind === 'keeps' ? { kind, temporary: false } : { kind };
}

function mixed(name: string): Error {
  const hint = 'Call them in separate statements.';
  return refusal(`set_config() beside other session functions (${name}) is not supported`, hint);
}

function booleanOf(node: SqlNode | undefined): boolean | null {
  if (node === undefined || !('A_Const' in node)) return null;
  const { boolval } = node.A_Const;
  return boolval === undefined ? null : boolval.boolval === true;
}

/** A literal or parameter, with or without a cast; null for everything else. */
function valueRef(node: SqlNode | undefined): ValueRef | null {
  if (node === undefined) return null;
  if ('TypeCast' in node) return valueRef(node.TypeCast.arg);
  if (!('ParamRef' in node)) return null;
  const number = node.ParamRef.number ?? 0;
  const slot = slotOf(number);
  if (slot !== null) return { kind: 'literal', slot: slot.slot };
  return { kind: 'parameter', index: number - 1 };
}

/** Statements that run queries without being one may not change the session on the way. */
export function refuseSessionFunctions(statement: SqlNode): void {
  walk(statement, (node) => {
    const name = 'FuncCall' in node ? builtinName(node.FuncCall.funcname) : null;
    const known = name === null ? null : sessionFunction(name);
    if (known !== null && (known.kind === 'refused' || known.effect !== 'nothing')) {
      throw refusal(
        `function ${name} is not supported in this statement`,
        'Call it in a SELECT of its own.',
      );
    }
    return true;
  });
}
