import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { suggest } from '../config/suggest.ts';

export const showSubjects = [
  'shards',
  'nodes',
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
  | { readonly kind: 'reload' }
  /** `shard` as the operator wrote it, without quotes. */
  | {
      readonly kind: 'failover';
      readonly shard: string;
      /** FAILOVER shard ALLOW DATA LOSS. */
      readonly allowDataLoss: boolean;
    }
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

const commandWords = ['show', 'reload', 'failover', 'help'];
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
      expectEnd(rest);
      return { kind: 'reload' };
    case 'failover':
      return failoverCommand(rest);
    case 'set':
      return setCommand(rest);
    case 'select':
      return selectCommand(rest);
    default:
      throw unknown(`unrecognized command "${first}"`, first, commandWords);
  }
}

function showSubject(words: readonly string[]): ShowSubject {
  const [word, ...rest] = words;
  if (word === undefined) throw syntaxError('SHOW needs to know what to show');
  const subject = showSubjects.find((name) => name === word.toLowerCase());
  if (subject === undefined) throw unknown(`cannot show "${word}"`, word, showSubjects);
  expectEnd(rest);
  return subject;
}

function failoverCommand(words: readonly string[]): AdminCommand {
  const [word, ...rest] =
    words[0]?.toLowerCase() === 'shard' && words.length > 1 ? words.slice(1) : words;
  if (word === undefined) throw syntaxError('FAILOVER needs the name of a shard');
  const allowDataLoss = rest.slice(0, 3).join(' ').toLowerCase() === 'allow data loss';
  expectEnd(allowDataLoss ? rest.slice(3) : rest);
  return { kind: 'failover', shard: unquoted(word), allowDataLoss };
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

function unquoted(word: string): string {
  const quote = word[0];
  if (word.length < 2 || (quote !== '"' && quote !== "'") || !word.endsWith(quote)) return word;
  return word.slice(1, -1).replaceAll(quote + quote, quote);
}
