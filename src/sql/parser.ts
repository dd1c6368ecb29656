import { hasSqlDetails, loadModule, parseSync } from 'libpg-query';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { SqlNode } from './ast.ts';
import { nestingBound } from './nesting-bound.ts';

const nestingMax = 3500;
/** Each name may become a node, and each node takes a kilobyte until the plan is made. */
const fingerprintLengthMax = 1_000_000;
/** What PostgreSQL says when its own room is used up. */
const isExhausted = /stack depth limit|memory exhausted|out of memory/i;

/** Loads PostgreSQL's grammar; once, before the first statement. */
export async function loadParser(): Promise<void> {
  await loadModule();
}

export type ParseOutcome =
  | { readonly kind: 'parsed'; readonly statement: SqlNode }
  | { readonly kind: 'empty' }
  /** A server will say what is wrong, and where. */
  | { readonly kind: 'syntax-error' };

/**
 * Parses one statement with PostgreSQL's own grammar. Throws 54000 for one that is too long, its literals left out, 54001 for one that is nested too
 * deeply; `fingerprint` is the lexer's, which shows the nesting without the literals.
 */
export function parseStatement(text: string, fingerprint: string): ParseOutcome {
  if (fingerprint.length > fingerprintLengthMax) throw tooLong();
  if (nestingBound(fingerprint) > nestingMax) throw tooComplex();
  try {
    const { stmts = [] } = parseSync(text);
    const statement = stmts[0]?.stmt;
    if (statement === undefined) return { kind: 'empty' };
    // More than one means that the lexer and the grammar disagree; a server refuses that too.
    return stmts.length === 1 ? { kind: 'parsed', statement } : { kind: 'syntax-error' };
  } catch (error) {
    // A server may have a larger stack: it must not be the judge of what we could not read.
    if (hasSqlDetails(error) && !isExhausted.test(error.message)) return { kind: 'syntax-error' };
    throw tooComplex(error);
  }
}

/** PostgreSQL's SQLSTATE for an expression beyond max_stack_depth. */
export function tooComplex(cause?: unknown): PgError {
  const hint = 'Split it, or join its conditions with AND, OR and lists instead of operators.';
  return new PgError(SqlState.statementTooComplex, 'statement is nested too deeply', {
    hint,
    cause,
  });
}

function tooLong(): PgError {
  const message = `statement has more than ${fingerprintLengthMax} characters without its literals`;
  const hint = 'Split it, pass an array as one parameter, or use COPY.';
  return new PgError(SqlState.programLimitExceeded, message, { hint });
}
