import type { FunctionCallNode, SqlNode, TypeNode } from '../sql/ast.ts';
import { clockWord } from '../sql/lexer.ts';
import { builtinName, stringsOf } from '../sql/names.ts';
import { tagOf, walk } from '../sql/walk.ts';
import { isDeterministicCall, isHarmlessCall, isOrderedAggregate } from './function-traits.ts';
import { noteSessionFunction } from './note-session-function.ts';
import { insideOfStandardValues, standardTables, standardValues } from './standard-syntax.ts';
import type { StatementContext } from './statement-context.ts';
import { tableOidName } from './table-oid-name.ts';

/** Constructs whose meaning over several shards is understood; everything else is refused there. */
const understood = new Set([
  ...standardValues,
  ...insideOfStandardValues,
  ...standardTables,
  ...(
    'SelectStmt ResTarget RangeVar RangeSubselect RangeFunction JoinExpr CommonTableExpr SortBy ' +
    'WindowDef List String Integer Float Boolean A_Const A_Star A_Expr A_Indirection A_Indices ' +
    'A_ArrayExpr ColumnRef ParamRef TypeCast CollateClause BoolExpr NullTest BooleanTest FuncCall ' +
    'RowExpr CaseExpr CaseWhen CoalesceExpr MinMaxExpr SubLink SQLValueFunction GroupingSet ' +
    'MultiAssignRef SetToDefault MergeSupportFunc ColumnDef'
  ).split(' '),
]);

const titles: { readonly [tag: string]: string } = {
  LockingClause: 'FOR UPDATE or FOR SHARE',
  RangeTableSample: 'TABLESAMPLE',
  GroupingFunc: 'GROUPING()',
  JsonArrayAgg: 'JSON_ARRAYAGG',
  JsonObjectAgg: 'JSON_OBJECTAGG',
  JsonArrayQueryConstructor: 'JSON_ARRAY of a query',
  InsertStmt: 'INSERT in WITH',
  UpdateStmt: 'UPDATE in WITH',
  DeleteStmt: 'DELETE in WITH',
  MergeStmt: 'MERGE in WITH',
  CurrentOfExpr: 'WHERE CURRENT OF',
};

/** What reads or changes the tables themselves: rows that are collected cannot stand for them. */
const boundToShards = new Set(
  'LockingClause RangeTableSample InsertStmt UpdateStmt DeleteStmt MergeStmt'.split(' '),
);

const systemColumns = ['ctid', 'xmin', 'xmax', 'cmin', 'cmax'];
const sameForAll = ['SVFOP_CURRENT_USER', 'SVFOP_USER', 'SVFOP_SESSION_USER', 'SVFOP_CURRENT_ROLE'];
const oneKey = 'Restrict every distributed table in it to one key.';

/**
 * Looks through a whole statement: what rules it out on several shards goes into the context, what
 * rules it out altogether is thrown. Answers whether nothing in it can write or lock.
 */
export function noteStatementFacts(context: StatementContext, statement: SqlNode): boolean {
  let harmless = true;
  // Those of the whole answer are looked at where it is planned.
  const locks = 'SelectStmt' in statement ? (statement.SelectStmt.lockingClause ?? []) : [];
  walk(statement, (node) => {
    const tag = tagOf(node);
    // The name of a row's table, asked for by the planner.
    if ('ResTarget' in node && node.ResTarget.name === tableOidName) return false;
    if (locks.includes(node)) {
      harmless = false;
      return false;
    }
    const isBound = boundToShards.has(tag) && !isSampledAnywhere(context, node);
    if (isBound) context.refuseAlways(notAcross(titles[tag] ?? tag), oneKey);
    else if (!understood.has(tag) && tag !== 'RangeTableSample')
      context.refuseMulti(notAcross(titles[tag] ?? tag), oneKey);
    if (tag === 'LockingClause') harmless = false;
    if ('FuncCall' in node) harmless = noteFunction(context, node.FuncCall) && harmless;
    noteExpression(context, node);
    if ('SelectStmt' in node && node.SelectStmt.intoClause !== undefined) harmless = false;
    return true;
  });
  return harmless;
}

/**
 * Each shard may choose of its own rows: the sample is another one each time in any case. It must be
 * read once, which a name of WITH may not be.
 */
function isSampledAnywhere({ source }: StatementContext, node: SqlNode): boolean {
  if (!('RangeTableSample' in node) || !('SelectStmt' in source.statement)) return false;
  const { method, repeatable, relation } = node.RangeTableSample;
  const isOwn = ['bernoulli', 'system'].includes(builtinName(method) ?? '');
  if (!isOwn || repeatable !== undefined || relation === undefined) return false;
  let hasNames = false;
  walk(source.statement, (other) => {
    hasNames ||= 'CommonTableExpr' in other;
    return !hasNames;
  });
  return 'RangeVar' in relation && !hasNames;
}

/** What gives another value on each server. */
function noteExpression(context: StatementContext, node: SqlNode): void {
  if ('SQLValueFunction' in node) {
    const { op } = node.SQLValueFunction;
    if (op === undefined || !sameForAll.includes(op)) refuseTime(context, 'the current time');
  } else if ('A_Const' in node) {
    const text = node.A_Const.sval?.sval ?? '';
    if (clockWord.test(text)) refuseTime(context, `'${text}'`);
  } else if ('TypeCast' in node) noteCast(context, node.TypeCast.typeName);
  else if ('ColumnRef' in node) noteSystemColumn(context, stringsOf(node.ColumnRef.fields));
}

function notAcross(construct: string): string {
  return `${construct} is not supported across shards`;
}

function noteFunction(context: StatementContext, call: FunctionCallNode): boolean {
  const written = stringsOf(call.funcname).join('.');
  const name = builtinName(call.funcname);
  if (name !== null) noteSessionFunction(context, call, name);
  if (name === 'nextval') context.advances = true;
  if (call.userFunction === 'unknown') context.ownCalls.push(call);
  if (call.readsReference === true) context.usesReference = true;
  if (name === 'now' || name?.endsWith('_timestamp') === true) {
    if (name !== 'to_timestamp' && name !== 'make_timestamp') refuseTime(context, `${written}()`);
  }
  const known = isDeterministicCall(call) || isOrderedAggregate(call);
  const isHarmless = isHarmlessCall(call);
  // Of others nobody knows which tables they read.
  if (!isHarmless) context.refuseAlways(notAcross(`function ${written}`), oneKeyOrDeclared(call));
  else if (!known) context.refuseMulti(notAcross(`function ${written}`), oneKey);
  return isHarmless;
}

function oneKeyOrDeclared({ userFunction, funcname }: FunctionCallNode): string {
  if (userFunction === undefined) return oneKey;
  const name = stringsOf(funcname).join('.');
  return (
    `${oneKey} A function that reads no table can be declared IMMUTABLE, on all shards alike; ` +
    `one that reads reference tables in the configuration: functions: { ${name}: { shards: any } }.`
  );
}

/** OIDs of relations, functions and their kin are each server's own. */
function noteCast(context: StatementContext, type: TypeNode | undefined): void {
  const name = builtinName(type?.names) ?? '';
  if (name.startsWith('reg')) context.refuseMulti(notAcross(`a cast to ${name}`), oneKey);
}

/** Each shard would read its own clock. */
function refuseTime(context: StatementContext, what: string): void {
  context.refuseMulti(notAcross(what), 'Pass the time as a parameter or literal.');
}

function noteSystemColumn(context: StatementContext, fields: readonly string[]): void {
  const name = fields[fields.length - 1] ?? '';
  if (name === 'tableoid' || name === tableOidName) {
    context.readsTableOid = true;
    context.refuseMulti(notAcross('system column tableoid'), oneKey);
  }
  if (systemColumns.includes(name)) {
    context.refuseAlways(notAcross(`system column ${name}`), oneKey);
  }
}
