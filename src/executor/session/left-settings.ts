import type { ServerConnection } from '../../backend/server-connection.ts';
import { quoteSettingName, type SessionSettings } from '../../backend/session-settings.ts';
import { settingLimit } from '../../planner/commands/setting-limits.ts';
import { DataRowReader } from '../../protocol/data-row.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import { type InternalOutcome, internalExchange } from '../internal-exchange.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { lostInTransaction } from '../transaction/lost-in-transaction.ts';
import { settingText } from './setting-text.ts';

type Done = (ok: boolean) => void;

/** What a server session has set, by name in lower case; null: it does not know the name. */
export type LeftSettings = { readonly [name: string]: string | null };

/**
 * One JSON object of what the server's session has set. Servers do not list parameters of other
 * names than their own: those that the session, or a function, is known to speak of are named.
 */
export function leftSettingsSql({ transaction, world }: SessionExecutor): string {
  const own = [...transaction.settings.values.keys()].filter(isCustom);
  const names = new Set(['role', ...own, ...world.planner.schema.leftovers.settings]);
  const literals = [...names].map((name) => `E'${name.replace(/[\\']/g, '\\$&')}'`);
  return `
    (select pg_catalog.json_object_agg(n, v) from (
      select pg_catalog.lower(name), pg_catalog.current_setting(name) from pg_catalog.pg_settings
        where source = 'session' and name !~ '^transaction_'
      union all
      select n, pg_catalog.current_setting(n, true) from pg_catalog.unnest(array[${literals.join(', ')}]) n
    ) s(n, v))`;
}

/** The session's settings when a server session that had `settings` has now `left`. */
export function withLeft(settings: SessionSettings, left: LeftSettings): SessionSettings {
  let changed = settings;
  for (const name of settings.values.keys()) {
    const isKnown = isCustom(name) || name in left || name === 'session_authorization';
    if (!isKnown) changed = changed.without(name);
  }
  for (const [name, value] of Object.entries(left)) {
    const isUnset = isCustom(name) ? (value ?? '') === '' : name === 'role' && value === 'none';
    const text = settingText(name, value ?? '');
    if (isUnset) changed = unset(changed, name);
    else if (settings.values.get(name) !== text && settingLimit(name, text) === null) {
      changed = changed.with(name, text);
    }
  }
  return changed;
}

/** `base` with what is different in each of `changed`. */
export function withChanges(
  base: SessionSettings,
  changed: readonly SessionSettings[],
): SessionSettings {
  let settings = base;
  for (const { values } of changed) {
    for (const name of base.values.keys()) if (!values.has(name)) settings = settings.without(name);
    for (const [name, text] of values) {
      if (base.values.get(name) !== text) settings = settings.with(name, text);
    }
  }
  return settings;
}

/** A parameter that has been set is empty ever after. */
function unset(settings: SessionSettings, name: string): SessionSettings {
  return settings.values.get(name) === "''" ? settings : settings.without(name);
}

function isCustom(name: string): boolean {
  return name.includes('.');
}

/**
 * In a block, after a function that may have set something where it ran: the block's other shards
 * have it, too, until the block ends. Then what is left for the session is asked for.
 */
export function spreadSettings(executor: SessionExecutor, done: Done): void {
  const { transaction } = executor;
  const { settings, participants } = transaction;
  const asked = [...participants.values()].filter(({ connection }) => connection.alive);
  const changes = new Map<string, string>();
  const next = (index: number) => {
    const participant = asked[index];
    if (participant === undefined) {
      tell(executor, changes, done);
      return;
    }
    askLeft(executor, participant.connection, (outcome, left) => {
      if (outcome.kind !== 'ready') {
        const lost = outcome.kind === 'lost' ? outcome.error : null;
        const { shard } = participant;
        executor.fail(outcome.kind === 'error' ? outcome : lostInTransaction(shard, lost), done);
        return;
      }
      for (const [name, text] of withLeft(settings, left).values) {
        if (settings.values.get(name) !== text) changes.set(name, text);
      }
      next(index + 1);
    });
  };
  executor.cancelWith(null);
  next(0);
}

function tell(executor: SessionExecutor, changes: ReadonlyMap<string, string>, done: Done): void {
  const { transaction } = executor;
  const sql = [...changes]
    .map(([name, text]) => `SET LOCAL ${quoteSettingName(name)} TO ${text}`)
    .join('; ');
  if (sql === '') {
    done(true);
    return;
  }
  transaction.note(sql, transaction.settings);
  transaction.broadcast(sql, null, (lost) => {
    if (lost === null) done(true);
    else executor.fail(lost, done);
  });
}

function askLeft(
  executor: SessionExecutor,
  connection: ServerConnection,
  answered: (outcome: InternalOutcome, left: LeftSettings) => void,
): void {
  let left: LeftSettings = {};
  const reader = new DataRowReader();
  const exchange = internalExchange(
    (outcome) => answered(outcome, left),
    (code, chunk, start, end) => {
      if (code !== BackendCode.dataRow) return;
      reader.open(chunk, start, end);
      if (reader.next() && reader.valueLength >= 0) {
        const { valueStart, valueLength } = reader;
        left = JSON.parse(chunk.toString('utf8', valueStart, valueStart + valueLength));
      }
    },
  );
  connection.send(exchange, [encodeQuery(`select ${leftSettingsSql(executor)}`)]);
}
