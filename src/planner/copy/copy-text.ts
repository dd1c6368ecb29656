import { lexStatements } from '../../sql/lexer.ts';
import { parseStatement } from '../../sql/parser.ts';

const blank = String.raw`(?:\s|--[^\n]*\n|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)`;
const beginning = new RegExp(String.raw`^copy${blank}*\(`, 'i');
/** Places that look like the end of the query, and are read to see: each costs as much as the query. */
const endsMax = 20;
const ending = new RegExp(String.raw`\)${blank}*to\b`, 'gi');

/**
 * The query of `COPY (query) TO ...`, as written, and where it lies. null when comments make it
 * unclear. The last place that can be its end is it: what is longer has a parenthesis too many.
 */
export function copyQueryText(text: string): {
  readonly queryText: string;
  readonly queryStart: number;
  readonly queryEnd: number;
} | null {
  const queryStart = beginning.exec(text)?.[0].length;
  if (queryStart === undefined) return null;
  const ends = [...text.matchAll(ending)].map(({ index }) => index).reverse();
  for (const queryEnd of ends.slice(0, endsMax)) {
    const queryText = text.slice(queryStart, queryEnd);
    const [lexed, ...others] = lexStatements(queryText, { standardConformingStrings: true });
    if (lexed === undefined || others.length > 0) continue;
    if (parseStatement(queryText, lexed.fingerprint).kind === 'parsed') {
      return { queryText, queryStart, queryEnd };
    }
  }
  return null;
}

/**
 * The COPY with LOG_VERBOSITY verbose. `limitAt` and `verbosityAt` are where these options stand
 * (UTF-16), null: it has no LOG_VERBOSITY.
 */
export function verboseCopyText(text: string, limitAt: number, verbosityAt: number | null): string {
  if (verbosityAt === null) {
    return `${text.slice(0, limitAt)}log_verbosity verbose, ${text.slice(limitAt)}`;
  }
  const rest = text.slice(verbosityAt);
  return text.slice(0, verbosityAt) + rest.replace(verbosity, 'log_verbosity verbose');
}

const verbosity = new RegExp(String.raw`^log_verbosity${blank}*(?:'[^']*'|"[^"]*"|\w+)`, 'i');
