import { PgError } from '../base/pg-error.ts';
import type { SqlNode } from '../sql/ast.ts';
import { bindSlots, slotsMax } from '../sql/bind-slots.ts';
import { nonStandardString } from '../sql/lexer.ts';
import { parseStatement, tooComplex } from '../sql/parser.ts';
import { planRecalled } from './commands/plan-recalled.ts';
import { planUtility } from './commands/plan-utility.ts';
import { Anchors } from './intermediate/anchors.ts';
import { IntermediateResults } from './intermediate-results.ts';
import { plainArrayQueries } from './json-array-query.ts';
import { withLeftovers } from './leftovers.ts';
import { markFunctions } from './mark-functions.ts';
import { refuseSessionFunctions } from './note-session-function.ts';
import type { Plan } from './plan.ts';
import type { PlanRequest } from './plan-request.ts';
import { planSelect } from './plan-select.ts';
import { refuse, rejectOf } from './refuse.ts';
import { StatementContext } from './statement-context.ts';
import { planCall, planDo } from './utility/plan-routine.ts';
import { planCreateAs } from './write/plan-create-as.ts';
import { planSetval } from './write/plan-setval.ts';
import { planTruncate } from './write/plan-truncate.ts';
import { planWrite } from './write/plan-write.ts';
import { planWritingSelect } from './write/plan-writing-select.ts';

/** The protocol's limit for `$n`; what lies above stands for literals in our trees. */
const parametersMax = 65_535;

/** A statement with a mistake goes home as it is: PostgreSQL's own message is the best. */
const asReceivedHome: Plan = {
  kind: 'utility',
  tag: '',
  changesSchema: false,
  everyShard: null,
};

/**
 * Decides what to do with a statement. Never throws for what a client wrote: a statement that is
 * not supported is a `reject` plan. The plan holds for every statement with this fingerprint.
 */
export function planStatement(request: PlanRequest): Plan {
  const { lexed, text } = request;
  try {
    if (lexed.parameterCount > parametersMax || lexed.literals.length > slotsMax) {
      return refuse('too many parameters or literals in one statement', 'Split the statement.');
    }
    if (lexed.fingerprint.includes(nonStandardString)) {
      return refuse(
        'backslashes in plain strings are not supported while standard_conforming_strings is off',
        "Write E'...', or set standard_conforming_strings to on.",
      );
    }
    const outcome = parseStatement(text.slice(lexed.start, lexed.end), lexed.fingerprint);
    if (outcome.kind === 'empty') return { kind: 'empty' };
    if (outcome.kind === 'syntax-error') return asReceivedHome;
    const written = text.slice(lexed.start, lexed.end);
    const recalled = planRecalled(outcome.statement, written, lexed.fingerprint);
    if (recalled !== null) return recalled;
    const bound = bindSlots(outcome.statement, text, lexed);
    const plain = plainArrayQueries(bound.statement, lexed.fingerprint);
    const statement = markFunctions(plain, request.schema, request.searchPath);
    const plan = planTree(request, statement, bound.allSlotsFound);
    return withLeftovers(plan, statement, request.schema.leftovers);
  } catch (error) {
    if (error instanceof PgError) return rejectOf(error);
    if (isStackOverflow(error)) return rejectOf(tooComplex(error));
    throw error;
  }
}

/**
 * The nesting is bounded, but what a level of it takes differs from analysis to analysis. Nothing
 * outside of this call has been changed, so that nothing is half done.
 */
function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.startsWith('Maximum call stack size');
}

function planTree(request: PlanRequest, statement: SqlNode, allSlotsFound: boolean): Plan {
  const { schema, searchPath, lexed } = request;
  const results = new IntermediateResults();
  const anchors = new Anchors();
  const source = { schema, searchPath, lexed, statement, allSlotsFound, results, anchors };
  const made = planCreateAs(source, request, statement);
  if (made !== null) return made;
  if ('SelectStmt' in statement) {
    return (
      planSetval(source, statement.SelectStmt) ??
      planWritingSelect(source, statement) ??
      planSelect(source, statement.SelectStmt)
    );
  }
  const command = writeCommand(statement);
  if (command !== null) return planWrite(source, statement, command);
  if ('DoStmt' in statement) return planDo(request, statement.DoStmt, planStatement);
  const context = new StatementContext(source, statement);
  if ('CallStmt' in statement) {
    refuseSessionFunctions(statement);
    return planCall(request, statement.CallStmt, planStatement);
  }
  const truncate = planTruncate(context, statement);
  return truncate ?? planUtility(request, context, statement);
}

function writeCommand(statement: SqlNode): 'insert' | 'update' | 'delete' | 'merge' | null {
  if ('InsertStmt' in statement) return 'insert';
  if ('UpdateStmt' in statement) return 'update';
  if ('DeleteStmt' in statement) return 'delete';
  return 'MergeStmt' in statement ? 'merge' : null;
}
