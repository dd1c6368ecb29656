import type { FunctionCallNode, RangeVarNode, SqlNode } from '../sql/ast.ts';
import { lexStatements } from '../sql/lexer.ts';
import { stringsOf } from '../sql/names.ts';
import { parseRoutine } from '../sql/parse-routine.ts';
import { parseStatement } from '../sql/parser.ts';
import { walk } from '../sql/walk.ts';
import { refusal } from './refuse.ts';
import type { FunctionSchema, Schema } from './schema.ts';
import type { StatementContext } from './statement-context.ts';
import { routineOptions } from './utility/routine-options.ts';
import { rangeVarsIn } from './utility/utility-subjects.ts';

type Body = {
  readonly statements: readonly SqlNode[];
  /** SET search_path of the function. */
  readonly searchPath: readonly string[] | null;
};

/** Read once for each reading of the catalogue. */
const bodies = new WeakMap<FunctionSchema, readonly Body[]>();

type Search = {
  readonly schema: Schema;
  readonly isOnHome: boolean;
  readonly seen: Set<FunctionSchema>;
};

/**
 * Throws 0A000 when a function that the statement calls, or one that this calls, would leave things
 * wrong: it reads or writes rows of distributed tables, on the home shard, which has only some of
 * them; or it writes a reference table, of which one copy would change. What a function runs by
 * EXECUTE of a computed text, or in another language than SQL or PL/pgSQL, is not seen.
 */
export function demandFunctionReach(context: StatementContext, isOnHome: boolean): void {
  const { schema, searchPath, ownCalls } = context;
  if (ownCalls.length === 0) return;
  const search = { schema, isOnHome, seen: new Set<FunctionSchema>() };
  for (const call of ownCalls) lookThrough(search, call, searchPath);
}

function lookThrough(search: Search, call: FunctionCallNode, searchPath: readonly string[]): void {
  const names = stringsOf(call.funcname);
  const found = search.schema.functions(names.at(-2) ?? null, names.at(-1) ?? '', searchPath);
  for (const each of found) {
    // What is said of these counts.
    if (each.isDeclared || each.isImmutable || search.seen.has(each)) continue;
    search.seen.add(each);
    for (const { statements, searchPath: own } of bodiesOf(each)) {
      for (const statement of statements) {
        demandPlace(search, each.name, statement, own ?? searchPath);
      }
    }
  }
}

function demandPlace(
  search: Search,
  name: string,
  statement: SqlNode,
  searchPath: readonly string[],
): void {
  const relationOf = ({ schemaname, relname = '' }: RangeVarNode) =>
    search.schema.relation(schemaname ?? null, relname, searchPath);
  if (search.isOnHome) {
    for (const table of rangeVarsIn(statement)) {
      const relation = relationOf(table);
      if (relation?.sharding.kind !== 'distributed' && relation?.readsDistributed !== true) {
        continue;
      }
      throw refusal(
        `function ${name}, which uses rows of "${relation.name}", is not supported by itself`,
        `It would run on the home shard: call it where a row's key says which shard it is, as in SELECT ${name}(...) FROM ... WHERE key = ..., or run its statements one by one.`,
      );
    }
  }
  walk(statement, (node) => {
    const written = writtenIn(node);
    const relation = written === null ? null : relationOf(written);
    if (relation?.sharding.kind === 'reference') {
      throw refusal(
        `function ${name}, which writes to reference table "${relation.name}", is not supported`,
        'It would change one copy of many: run its statements one by one.',
      );
    }
    if ('FuncCall' in node) lookThrough(search, node.FuncCall, searchPath);
    return true;
  });
}

/** The table that a statement writes, if it does. */
export function writtenIn(node: SqlNode): RangeVarNode | null {
  if ('InsertStmt' in node) return node.InsertStmt.relation ?? null;
  if ('UpdateStmt' in node) return node.UpdateStmt.relation ?? null;
  if ('DeleteStmt' in node) return node.DeleteStmt.relation ?? null;
  return 'MergeStmt' in node ? (node.MergeStmt.relation ?? null) : null;
}

function bodiesOf(each: FunctionSchema): readonly Body[] {
  const known = bodies.get(each);
  if (known !== undefined) return known;
  const read = (each.bodies ?? []).map(bodyOf);
  bodies.set(each, read);
  return read;
}

function bodyOf(definition: string): Body {
  const [statement] = parsed(definition);
  if (statement === undefined || !('CreateFunctionStmt' in statement)) {
    return { statements: [], searchPath: null };
  }
  const { options, sql_body: ownBody } = statement.CreateFunctionStmt;
  const { language = 'sql', body = '', searchPath = null } = routineOptions(options);
  if (ownBody !== undefined) return { statements: [ownBody], searchPath };
  if (language !== 'plpgsql') return { statements: parsed(body), searchPath };
  const read = parseRoutine(definition);
  const statements = read.kind === 'parsed' ? read.statements.flatMap(parsed) : [];
  return { statements, searchPath };
}

/** What cannot be read is left out: the server will say what is wrong with it. */
function parsed(text: string): readonly SqlNode[] {
  return lexStatements(text, { standardConformingStrings: true }).flatMap((lexed) => {
    const outcome = parseStatement(text.slice(lexed.start, lexed.end), lexed.fingerprint);
    return outcome.kind === 'parsed' ? [outcome.statement] : [];
  });
}
