import type { SessionSettings } from '../backend/session-settings.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { isUtf8 } from '../executor/session/setting-commands.ts';
import { settingText } from '../executor/session/setting-text.ts';
import { settingLimit } from '../planner/commands/setting-limits.ts';

const notSettings = new Set(['user', 'database', 'options', 'replication']);
const settingName = /^[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)?$/;

/**
 * The settings that a startup packet asks for: its parameters and `-c name=value` (also
 * `--name=value`) in `options`. Values become SQL literals. Throws FATAL PgError 22023, 0A000.
 */
export function startupSettings(
  parameters: ReadonlyMap<string, string>,
  empty: SessionSettings,
): SessionSettings {
  const replication = parameters.get('replication');
  if (replication !== undefined && !/^(false|off|no|0)$/i.test(replication)) {
    throw fatal(SqlState.featureNotSupported, 'replication connections are not supported');
  }
  let settings = empty;
  const given = [...parameters].filter(([name]) => !notSettings.has(name));
  for (const [name, value] of [...optionsOf(parameters.get('options') ?? ''), ...given]) {
    const lowerName = name.toLowerCase();
    if (!settingName.test(lowerName)) {
      throw fatal(SqlState.invalidParameterValue, `unrecognized configuration parameter "${name}"`);
    }
    if (lowerName === 'client_encoding') requireUtf8(value);
    // Properties of the transaction that a login is, in PostgreSQL, too.
    else if (!lowerName.startsWith('transaction_'))
      settings = settings.with(lowerName, limitedValue(lowerName, value));
  }
  return settings;
}

/** Splits at blanks that no backslash precedes, as PostgreSQL does (pg_split_opts). */
function optionsOf(options: string): [string, string][] {
  const words = options.match(/(?:\\[\s\S]|[^\s\\])+/g) ?? [];
  const plain = words.map((word) => word.replace(/\\([\s\S])/g, '$1'));
  const settings: [string, string][] = [];
  for (let index = 0; index < plain.length; index++) {
    const word = plain[index] ?? '';
    const text = word === '-c' ? plain[++index] : word.replace(/^(-c|--)/, '');
    const match = /^([^=]+)=([\s\S]*)$/.exec(text ?? '');
    if (match === null || (word !== '-c' && !/^(-c|--)/.test(word))) {
      throw fatal(
        SqlState.invalidParameterValue,
        `invalid command-line argument for server process: ${word}`,
      );
    }
    settings.push([(match[1] ?? '').replaceAll('-', '_'), match[2] ?? '']);
  }
  return settings;
}

function requireUtf8(value: string): void {
  if (isUtf8(value.replaceAll("'", ''))) return;
  throw fatal(
    SqlState.featureNotSupported,
    `client_encoding "${value}" is not supported`,
    'Use UTF8: keys are compared as UTF-8.',
  );
}

/** As SQL. What SET may not say, a startup packet may not either. */
function limitedValue(name: string, value: string): string {
  const text = settingText(name, value);
  const limit = settingLimit(name, text);
  if (limit !== null) throw fatal(limit.sqlState, limit.message, limit.hint ?? undefined);
  return text;
}

function fatal(sqlState: string, message: string, hint?: string): PgError {
  return new PgError(sqlState, message, { severity: 'FATAL', hint });
}
