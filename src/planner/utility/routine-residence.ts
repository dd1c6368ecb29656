import type { SqlNode } from '../../sql/ast.ts';
import { stringsOf } from '../../sql/names.ts';
import { walk } from '../../sql/walk.ts';
import type { PlanRequest } from '../plan-request.ts';
import type { Residence } from '../schema.ts';
import { relationOfName } from './relation-residence.ts';
import { rangeVarsIn } from './utility-subjects.ts';

/**
 * A function whose arguments, result or parsed body name a table of the home shard can be there
 * alone. null: the statement is about no such function, or about others as well.
 */
export function homeRoutine(request: PlanRequest, statement: SqlNode): Residence | null {
  const isOfHome =
    'CreateFunctionStmt' in statement
      ? namesHome(request, statement.CreateFunctionStmt)
      : changesHomeOnly(request, statement);
  return isOfHome ? { kind: 'home' } : null;
}

type RoutineNode = Extract<SqlNode, { CreateFunctionStmt: unknown }>['CreateFunctionStmt'];

function namesHome(request: PlanRequest, node: RoutineNode): boolean {
  const { parameters = [], returnType, sql_body: body } = node;
  const types = [returnType, ...parameters.map(typeOf)].map((type) => stringsOf(type?.names));
  return (
    types.some((names) => isHome(request, names.at(-2) ?? null, names.at(-1) ?? '')) ||
    rangeVarsIn(body).some(({ schemaname = null, relname = '' }) =>
      isHome(request, schemaname, relname),
    )
  );
}

function typeOf(parameter: SqlNode) {
  return 'FunctionParameter' in parameter ? parameter.FunctionParameter.argType : undefined;
}

/** ALTER, DROP, COMMENT, GRANT and their kin. */
function changesHomeOnly(request: PlanRequest, statement: SqlNode): boolean {
  const routines = routinesIn(statement);
  return routines.length > 0 && routines.every((names) => isHomeRoutine(request, names));
}

function routinesIn(statement: SqlNode): readonly (readonly string[])[] {
  if ('AlterFunctionStmt' in statement) {
    return [stringsOf(statement.AlterFunctionStmt.func?.objname)];
  }
  const found: (readonly string[])[] = [];
  walk(statement, (node) => {
    if ('ObjectWithArgs' in node) found.push(stringsOf(node.ObjectWithArgs.objname));
    return true;
  });
  return found;
}

function isHomeRoutine(request: PlanRequest, names: readonly string[]): boolean {
  const { schema, searchPath } = request;
  const found = schema.functions(names.at(-2) ?? null, names.at(-1) ?? '', searchPath);
  return found.some(({ tables = [] }) => tables.some((table) => isHomeByFullName(request, table)));
}

/** `schema.name`; both may have dots. */
function isHomeByFullName(request: PlanRequest, table: string): boolean {
  const dots = [...table.matchAll(/\./g)].map(({ index }) => index);
  return dots.some((dot) => isHome(request, table.slice(0, dot), table.slice(dot + 1)));
}

function isHome(request: PlanRequest, schema: string | null, name: string): boolean {
  const node = schema === null ? { relname: name } : { schemaname: schema, relname: name };
  const relation = relationOfName(request, node);
  return (
    relation !== null && relation.schema !== 'pg_catalog' && relation.residence.kind === 'home'
  );
}
