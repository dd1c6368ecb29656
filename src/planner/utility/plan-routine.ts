import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { SqlNode } from '../../sql/ast.ts';
import { lexStatements } from '../../sql/lexer.ts';
import { stringsOf } from '../../sql/names.ts';
import { parseRoutine } from '../../sql/parse-routine.ts';
import { parseStatement } from '../../sql/parser.ts';
import type { Plan } from '../plan.ts';
import type { PlanRequest } from '../plan-request.ts';
import { refusal } from '../refuse.ts';
import { routineOptions } from './routine-options.ts';
import {
  demandOneWay,
  type PlanInner,
  type RoutineReach,
  reachesNothing,
  reachOf,
} from './routine-reach.ts';

type DoNode = Extract<SqlNode, { DoStmt: unknown }>['DoStmt'];
type CallNode = Extract<SqlNode, { CallStmt: unknown }>['CallStmt'];
type RoutineNode = Extract<SqlNode, { CreateFunctionStmt: unknown }>['CreateFunctionStmt'];

const oneByOne = 'Run its statements one by one, in a transaction if need be.';

/**
 * DO: all statements of its body are looked at. One that uses nothing but tables of the home shard,
 * and reads reference tables, runs there; one that is DDL of all shards runs on each of them. Throws
 * 0A000 for all others.
 */
export function planDo(request: PlanRequest, { args }: DoNode, planInner: PlanInner): Plan {
  const { lexed, text } = request;
  const { language = 'plpgsql' } = routineOptions(args);
  const statements = bodyOf('DO', language, text.slice(lexed.start, lexed.end));
  return planOf('DO', reachOf(request, statements, 'DO', planInner));
}

/** CALL: likewise, by the bodies of all procedures of that name. */
export function planCall(request: PlanRequest, { funccall }: CallNode, planInner: PlanInner): Plan {
  const parts = stringsOf(funccall?.funcname);
  const name = parts.at(-1) ?? '';
  const { schema, searchPath, callers = [] } = request;
  const found = schema.functions(parts.at(-2) ?? null, name, searchPath);
  if (found.length === 0) {
    // One that was made just now, past this proxy, may touch anything.
    throw new PgError(SqlState.undefinedFunction, `procedure ${parts.join('.')} does not exist`);
  }
  const about = `procedure "${name}"`;
  const id = found.map((each) => `${each.schema}.${each.name}`).join();
  if (callers.includes(id)) return planOf('CALL', reachesNothing());
  const reach = reachesNothing();
  for (const { kind, procedures = null } of found) {
    // PostgreSQL says that it is no procedure.
    if (kind !== 'other') continue;
    if (procedures === null) {
      throw refusal(
        `${about}, which is not the same on all shards, is not supported`,
        'CREATE OR REPLACE it through pgweave.',
      );
    }
    for (const definition of procedures) {
      const inner = { ...request, callers: [...callers, id] };
      add(reach, reachOfProcedure(inner, definition, about, planInner));
    }
  }
  return planOf('CALL', reach, about);
}

function add(reach: RoutineReach, other: RoutineReach): void {
  reach.usesHome ||= other.usesHome;
  reach.changesSchema ||= other.changesSchema;
  reach.everyShard ??= other.everyShard;
  reach.endsTransaction ||= other.endsTransaction;
}

/** What uses no table at all may run anywhere, and runs on the home shard. */
function planOf(tag: string, reach: RoutineReach, about = tag): Plan {
  demandOneWay(reach, about);
  const { everyShard, changesSchema } = reach;
  return { kind: 'utility', tag, changesSchema, everyShard };
}

function reachOfProcedure(
  request: PlanRequest,
  definition: string,
  about: string,
  planInner: PlanInner,
): RoutineReach {
  const [lexed] = lexStatements(definition, { standardConformingStrings: true });
  const outcome = parseStatement(definition, lexed?.fingerprint ?? '');
  if (outcome.kind !== 'parsed' || !('CreateFunctionStmt' in outcome.statement)) {
    throw refusal(`${about}, which cannot be read, is not supported`, oneByOne);
  }
  const node = outcome.statement.CreateFunctionStmt;
  const { language = 'sql', body, searchPath } = routineOptions(node.options);
  const statements =
    language === 'sql' && body !== undefined ? [body] : bodyOf(about, language, definition);
  const inner = searchPath === undefined ? request : { ...request, searchPath };
  const reach = reachOf(inner, statements, about, planInner);
  if (reach.everyShard === null || !hasOutput(node)) return reach;
  throw refusal(`${about}, which changes all shards and returns a row, is not supported`, oneByOne);
}

function hasOutput({ parameters = [] }: RoutineNode): boolean {
  return parameters.some(
    (parameter) =>
      'FunctionParameter' in parameter &&
      ['FUNC_PARAM_OUT', 'FUNC_PARAM_INOUT'].includes(parameter.FunctionParameter.mode ?? ''),
  );
}

function bodyOf(about: string, language: string, text: string): readonly string[] {
  if (language !== 'plpgsql') {
    const hint = `pgweave reads PL/pgSQL${about === 'DO' ? '' : ', and SQL in quotes'}.`;
    throw refusal(`${about} in this form of language ${language} is not supported`, hint);
  }
  const body = parseRoutine(text);
  switch (body.kind) {
    case 'parsed':
      return body.statements;
    case 'unknown':
      throw refusal(
        `${about} with ${body.what}, whose statement is not known before it runs, is not supported`,
        'The proxy must see which tables it touches: write the statement itself.',
      );
    default:
      throw refusal(`${about} cannot be read: ${body.message}`, oneByOne);
  }
}
