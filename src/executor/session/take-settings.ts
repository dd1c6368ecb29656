import type { ServerConnection } from '../../backend/server-connection.ts';
import { quoteSettingName } from '../../backend/session-settings.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { settingLimit } from '../../planner/commands/setting-limits.ts';
import type { SetCall } from '../../planner/session-effect.ts';
import { DataRowReader } from '../../protocol/data-row.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import { literalValue } from '../../sql/literal-value.ts';
import type { ValueRef } from '../../sql/statement.ts';
import type { ExecutedStatement } from '../executed-statement.ts';
import { type InternalOutcome, internalExchange } from '../internal-exchange.ts';
import { rejection } from '../rejection.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { lostInTransaction } from '../transaction/lost-in-transaction.ts';
import { scriptRefusal, settingsRefusal } from './session-bounds.ts';
import { settingText } from './setting-text.ts';

type Done = (ok: boolean) => void;
type Call = { readonly name: string; readonly isLocal: boolean };

/**
 * After set_config() on the home shard, in a block: what it has set is asked for, since its values
 * may be computed, kept for the session or the transaction, and set on the block's other shards.
 */
export function takeSettings(
  executor: SessionExecutor,
  executed: readonly ExecutedStatement[],
  done: Done,
): void {
  const calls = new Map<string, Call>();
  for (const statement of executed) {
    for (const call of callsOf(executor, statement)) calls.set(call.name, call);
  }
  const { home } = executor.world.planner.shardMap;
  const connection = executor.transaction.participants.get(home)?.connection;
  if (calls.size === 0) {
    done(true);
    return;
  }
  assert(connection !== undefined, 'set_config() has run at home, in a block');
  executor.cancelWith(null);
  ask(connection, [...calls.keys()], (outcome, values) => {
    if (outcome.kind !== 'ready') {
      const { kind } = outcome;
      executor.fail(kind === 'error' ? outcome : lostInTransaction(home, outcome.error), done);
      return;
    }
    const set = [...calls.values()].map((call, index) => ({
      ...call,
      value: values[index] ?? null,
    }));
    try {
      take(executor, set, done);
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      executor.fail(error, done);
    }
  });
}

function take(
  executor: SessionExecutor,
  set: readonly (Call & { readonly value: string | null })[],
  done: Done,
): void {
  const { transaction, world } = executor;
  const statements: string[] = [];
  let { settings } = transaction;
  for (const { name, isLocal, value } of set) {
    // It has not been set after all: a CASE has left it out.
    if (value === null) continue;
    const text = settingText(name, value);
    refuseSetting(name, text);
    statements.push(`SET ${isLocal ? 'LOCAL ' : ''}${quoteSettingName(name)} TO ${text}`);
    if (!isLocal) settings = settings.with(name, text);
  }
  const sql = statements.join('; ');
  const excess = scriptRefusal(executor, sql) ?? settingsRefusal(settings);
  if (excess !== null) throw excess;
  transaction.note(statements.length === 0 ? null : sql, settings);
  const at = transaction.participants.get(world.planner.shardMap.home) ?? null;
  if (statements.length === 0) {
    done(true);
    return;
  }
  transaction.broadcast(sql, at, (lost) => {
    if (lost === null) done(true);
    else executor.fail(lost, done);
  });
}

function refuseSetting(name: string, text: string): void {
  const limit = settingLimit(name, text);
  if (limit !== null) throw rejection(limit);
  if (!name.startsWith('transaction_')) return;
  throw new PgError(SqlState.featureNotSupported, `set_config() of ${name} is not supported`, {
    hint: 'Name it in BEGIN, or use SET TRANSACTION.',
  });
}

function callsOf(executor: SessionExecutor, executed: ExecutedStatement): Call[] {
  const { plan } = executed.planned;
  const effect = plan.kind === 'select' || plan.kind === 'modify' ? plan.effect : undefined;
  if (effect?.kind !== 'sets') return [];
  return effect.calls.flatMap((call: SetCall) => {
    const name = textOf(executor, executed, call.name);
    const local =
      typeof call.local === 'boolean' ? call.local : textOf(executor, executed, call.local);
    // Of NULL arguments PostgreSQL makes nothing.
    if (name === null || local === null) return [];
    const isLocal = typeof local === 'boolean' ? local : isTrue(local);
    return [{ name: name.toLowerCase(), isLocal }];
  });
}

/** As text, or the one byte of a binary boolean. */
function isTrue(value: string): boolean {
  return value.charCodeAt(0) === 1 || /^(?:t|true|y|yes|on|1)$/i.test(value);
}

/** null: NULL. Text values are the same in both formats. */
function textOf(
  { standardConformingStrings }: SessionExecutor,
  { planned, parameters }: ExecutedStatement,
  ref: ValueRef,
): string | null {
  if (ref.kind === 'parameter') return parameters.values[ref.index]?.toString('utf8') ?? null;
  return literalValue(planned.literalText(ref.slot), standardConformingStrings);
}

/** Their values in the same order, null for what does not exist. */
function ask(
  connection: ServerConnection,
  names: readonly string[],
  answered: (outcome: InternalOutcome, values: readonly (string | null)[]) => void,
): void {
  const values: (string | null)[] = [];
  const reader = new DataRowReader();
  const exchange = internalExchange(
    (outcome) => answered(outcome, values),
    (code, chunk, start, end) => {
      if (code !== BackendCode.dataRow) return;
      reader.open(chunk, start, end);
      while (reader.next()) {
        const { valueStart, valueLength } = reader;
        const isNull = valueLength < 0;
        values.push(isNull ? null : chunk.toString('utf8', valueStart, valueStart + valueLength));
      }
    },
  );
  const questions = names.map(
    (name) => `pg_catalog.current_setting(E'${name.replace(/[\\']/g, '\\$&')}', true)`,
  );
  connection.send(exchange, [encodeQuery(`select ${questions.join(', ')}`)]);
}
