import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { suggest } from '../config/suggest.ts';
import {
  type OperatorWords,
  operatorKinds,
  readOperatorWords,
  unquoted,
} from './operator-words.ts';
import { type ReloadWords, readReloadWords } from './reload-console.ts';
import { type ResolveWords, readResolveWords } from './resolve-words.ts';

export const showSubjects = [
  'shards',
  'nodes',
  'durability',
  'failovers',
  'transactions',
  'drift',
  'pools',
  'clients',
  'workers',
  'map',
  'stats',
  'config',
  'version',
  'help',
] as const;

export type ShowSubject = (typeof showSubjects)[number];

export type AdminCommand =
  | { readonly kind: 'empty' }
  | { readonly kind: 'show'; readonly subject: ShowSubject }
  | { readonly kind: 'reload'; readonly words: ReloadWords }
  | { readonly kind: 'operate'; readonly words: OperatorWords }
  | { readonly kind: 'resolve'; readonly words: ResolveWords }
  /** A setting that drivers make on connecting and that means nothing here. */
  | { readonly kind: 'set' }
  /** What connection pools send to see whether a connection lives. */
  | { readonly kind: 'select-one' };

/** Settings of PostgreSQL that drivers send before the user's first command. */
const harmlessSettings = new Set([
  'application_name',
  'bytea_output',
  'client_encoding',
  'client_min_messages',
  'datestyle',
  'extra_float_digits',
  'intervalstyle',
  'standard_conforming_strings',
  'statement_timeout',
  'timezone',
]);

const commandWords = ['show', 'reload', 'help', 'resolve', ...operatorKinds];
const hint = 'see SHOW HELP for the commands of this console';

/** Characters of one command; no command of this console comes near it. */
export const adminCommandLengthMax = 1_000;

/** Reads one command; PgError 42601 says what was expected instead. */
export function parseAdminCommand(sql: string): AdminCommand {
  if (sql.length > adminCommandLengthMax) {
    throw syntaxError(`a command of this console has at most ${adminCommandLengthMax} characters`);
  }
  const [first, ...rest] = withoutSemicolons(tokens(sql));
  if (first === undefined) return { kind: 'empty' };
  switch (first.toLowerCase()) {
    case 'show':
      return { kind: 'show', subject: showSubject(rest) };
    case 'help':
      expectEnd(rest);
      return { kind: 'show', subject: 'help' };
    case 'reload':
      return reloadCommand(rest);
    case 'resolve':
      return resolveCommand(rest);
    case 'set':
      return setCommand(rest);
    case 'select':
      return selectCommand(rest);
    default:
      return operatorCommand(first, rest);
  }
}

function operatorCommand(first: string, rest: readonly string[]): AdminCommand {
  const kind = operatorKinds.find((word) => word === first.toLowerCase());
  if (kind === undefined) throw unknown(`unrecognized command "${first}"`, first, commandWords);
  const words = readOperatorWords(kind, rest);
  if (typeof words === 'string') throw syntaxError(words);
  return { kind: 'operate', words };
}

function reloadCommand(rest: readonly string[]): AdminCommand {
  const words = readReloadWords(rest);
  if (typeof words === 'string') throw syntaxError(words);
  return { kind: 'reload', words };
}

function resolveCommand(rest: readonly string[]): AdminCommand {
  const words = readResolveWords(rest);
  if (typeof words === 'string') throw syntaxError(words);
  return { kind: 'resolve', words };
}

function showSubject(words: readonly string[]): ShowSubject {
  const [word, ...rest] = words;
  if (word === undefined) throw syntaxError('SHOW needs to know what to show');
  const subject = showSubjects.find((name) => name === word.toLowerCase());
  if (subject === undefined) throw unknown(`cannot show "${word}"`, word, showSubjects);
  expectEnd(rest);
  return subject;
}

function setCommand(words: readonly string[]): AdminCommand {
  const scoped = ['session', 'local'].includes(words[0]?.toLowerCase() ?? '');
  const name = (scoped ? words[1] : words[0])?.toLowerCase() ?? '';
  const isTimeZone = name === 'time';
  if (isTimeZone || harmlessSettings.has(unquoted(name))) return { kind: 'set' };
  throw new PgError(SqlState.syntaxError, `cannot set "${unquoted(name)}" on the admin console`, {
    hint: 'change the configuration file and say RELOAD',
  });
}

function selectCommand(words: readonly string[]): AdminCommand {
  const text = words.join('').toLowerCase();
  if (text === '1') return { kind: 'select-one' };
  if (text === 'version()') return { kind: 'show', subject: 'version' };
  throw syntaxError('the admin console does not run queries');
}

function expectEnd(words: readonly string[]): void {
  const [word] = words;
  if (word === ';') throw syntaxError('the admin console takes one command at a time');
  if (word !== undefined) throw syntaxError(`unexpected "${word}" at the end of the command`);
}

function unknown(message: string, word: string, candidates: readonly string[]): PgError {
  return new PgError(SqlState.syntaxError, message, {
    hint: `${suggest(word, candidates)}; ${hint}`,
  });
}

function syntaxError(message: string): PgError {
  return new PgError(SqlState.syntaxError, message, { hint });
}

/** Comments and blanks cut; quoted names and strings are one token with their quotes. */
function tokens(sql: string): string[] {
  const token =
    /--[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"]|"")*"|'(?:[^']|'')*'|(?:(?!--|\/\*)[^\s;"'=(),])+|[;"'=(),]/g;
  return (sql.match(token) ?? []).filter(
    (text) => !text.startsWith('--') && !text.startsWith('/*'),
  );
}

function withoutSemicolons(words: readonly string[]): readonly string[] {
  const end = words.findLastIndex((word) => word !== ';');
  return words.slice(0, end + 1);
}
