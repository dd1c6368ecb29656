import { hasSqlDetails, parsePlPgSQLSync } from 'libpg-query';

/** What a body of PL/pgSQL runs, loops and conditions left out. */
export type RoutineBody =
  /** Statements and expressions, each as a statement of SQL. */
  | { readonly kind: 'parsed'; readonly statements: readonly string[] }
  /** Something in it is not known before it runs: `what` names it. */
  | { readonly kind: 'unknown'; readonly what: string }
  /** The grammar's message. */
  | { readonly kind: 'syntax-error'; readonly message: string };

/** Statements of PL/pgSQL that run nothing but what their expressions say (manual, 41.5 to 41.9). */
const plain = new Set(
  (
    'assert assign block call case close commit execsql exit fetch foreach_a forc fori fors getdiag ' +
    'if loop open perform raise return return_next return_query rollback while'
  ).split(' '),
);

/**
 * Reads a DO statement, or CREATE FUNCTION or PROCEDURE, in PL/pgSQL. `text` is the whole statement.
 * COMMIT and ROLLBACK are statements like others.
 */
export function parseRoutine(text: string): RoutineBody {
  let tree: unknown;
  try {
    tree = parsePlPgSQLSync(text);
  } catch (error) {
    if (hasSqlDetails(error) || error instanceof Error) {
      return { kind: 'syntax-error', message: error.message };
    }
    throw error;
  }
  const found: Found = { statements: [], unknown: null };
  collect(tree, found);
  if (found.unknown !== null) return { kind: 'unknown', what: found.unknown };
  return { kind: 'parsed', statements: found.statements };
}

type Found = { readonly statements: string[]; unknown: string | null };

type Tree = { readonly [field: string]: unknown };

function collect(value: unknown, found: Found): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) collect(item, found);
    return;
  }
  for (const [field, child] of Object.entries(value)) {
    if (field === 'PLpgSQL_expr') collectExpression(child, found);
    else if (field === 'PLpgSQL_stmt_dynexecute') collectDynamic(child, found);
    else {
      const name = /^PLpgSQL_stmt_(\w+)$/.exec(field)?.[1];
      const isDynamic = field === 'dynquery' || (name !== undefined && !plain.has(name));
      if (isDynamic) found.unknown ??= 'EXECUTE';
      else if (name === 'commit' || name === 'rollback') found.statements.push(name);
      collect(child, found);
    }
  }
}

/** RawParseMode of an expression (raw_parser.h); an assignment names its target first. */
const expressionMode = 2;
const assignmentModes = [3, 4, 5];

function collectExpression(value: unknown, found: Found): void {
  const { query, parseMode = 0 } = (value ?? {}) as Tree;
  if (typeof query !== 'string') return;
  const mode = Number(parseMode);
  if (mode === 0) found.statements.push(query);
  else if (mode === expressionMode) found.statements.push(`SELECT ${query}`);
  else {
    const assigned = /^\s*(?:[\w$.]|"(?:[^"]|"")*"|\[[\w\s]*\])+\s*:?=(.*)$/s.exec(query)?.[1];
    if (assignmentModes.includes(mode) && assigned !== undefined) {
      found.statements.push(`SELECT ${assigned}`);
    } else found.unknown ??= `"${query}"`;
  }
}

/** EXECUTE of a text that stands there is that text. */
function collectDynamic(value: unknown, found: Found): void {
  const { query, ...rest } = (value ?? {}) as Tree;
  const expression = ((query ?? {}) as Tree)['PLpgSQL_expr'] as Tree | undefined;
  const text = /^\s*'((?:[^'\\]|'')*)'\s*$/s.exec(String(expression?.['query'] ?? ''))?.[1];
  if (text === undefined) found.unknown ??= 'EXECUTE';
  else found.statements.push(text.replaceAll("''", "'"));
  collect(rest, found);
}
