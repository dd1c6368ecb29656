import type { SessionSettings } from '../../backend/session-settings.ts';
import { unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { SettingCommand } from '../../planner/commands/setting-command.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { internalExchange } from '../internal-exchange.ts';
import { rerunsMax } from '../run-again.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { lostInTransaction } from '../transaction/lost-in-transaction.ts';
import type { Participant } from '../transaction/participant.ts';
import { splitNames } from './search-path.ts';
import { scriptRefusal, settingsRefusal } from './session-bounds.ts';

type Done = (ok: boolean) => void;

const authorization = 'session_authorization';

const isolationLevels = new Set([
  'read uncommitted',
  'read committed',
  'repeatable read',
  'serializable',
]);

/** What a setting command does: SQL for the servers, and the session's settings afterwards. */
type Effect = {
  /** null: nothing that a server must judge. */
  readonly sql: string | null;
  readonly settings: SessionSettings;
  readonly tag: string;
};

/**
 * SET, RESET and DISCARD ALL. A server judges the value (the home shard outside a block, every
 * participant inside), then the session remembers it and takes it along from server to server.
 */
export function runSettingCommand(
  executor: SessionExecutor,
  command: SettingCommand,
  text: string,
  done: Done,
): void {
  const { transaction, startup } = executor;
  const home = executor.world.planner.shardMap.home;
  const refusal =
    refusedSetting(command, transaction.block !== 'none') ?? scriptRefusal(executor, text);
  if (refusal !== null) {
    executor.fail(refusal, done);
    return;
  }
  const effect = effectOf(command, text, transaction.settings, startup);
  const excess = settingsRefusal(effect.settings);
  if (excess !== null) {
    executor.fail(excess, done);
    return;
  }
  const isolation = isolationOf(command);
  if (isolation !== null && transaction.block !== 'none') {
    if (transaction.participants.size === 0) {
      // It says nothing that a server must judge, and no shard is needed yet.
      transaction.useIsolation(isolation);
      transaction.note(text, effect.settings);
      executor.succeed(encodeCommandComplete('SET'), done);
      return;
    }
    transaction.useIsolation(isolation);
  }
  if (effect.sql === null) {
    transaction.note(null, effect.settings);
    executor.succeed(encodeCommandComplete(effect.tag), done);
    return;
  }
  const participants = [...transaction.participants.values()];
  if (participants.length === 0) judge(executor, effect, effect.sql, home, rerunsMax, done);
  else applyToAll(executor, effect, effect.sql, participants, done);
}

/** The level that a SET asks for when it is one of PostgreSQL's, else null. */
function isolationOf(command: SettingCommand): string | null {
  if (command.kind !== 'set' || command.name !== 'transaction_isolation') return null;
  const [level = ''] = splitNames(command.value ?? '');
  return isolationLevels.has(level.toLowerCase()) ? level : null;
}

function effectOf(
  command: SettingCommand,
  text: string,
  current: SessionSettings,
  startup: SessionSettings,
): Effect {
  switch (command.kind) {
    case 'set': {
      // Properties of a transaction end with it, LOCAL or not.
      if (command.local || command.name.startsWith('transaction_'))
        return { sql: text, settings: current, tag: 'SET' };
      if (command.value === null)
        return resetOne({ ...command, text, tag: 'SET' }, current, startup);
      // A new session_authorization takes the role away.
      const kept = command.name === authorization ? current.without('role') : current;
      return { sql: text, settings: kept.with(command.name, command.value), tag: 'SET' };
    }
    case 'reset':
      return resetOne({ ...command, text, tag: 'RESET' }, current, startup);
    case 'reset-all': {
      // Who the session acts as is not among what RESET ALL resets.
      let settings = startup;
      for (const name of [authorization, 'role']) {
        const value = current.values.get(name);
        settings = value === undefined ? settings.without(name) : settings.with(name, value);
      }
      return { sql: settings.replay(current), settings, tag: 'RESET' };
    }
    case 'discard-all':
      return { sql: startup.replay(current), settings: startup, tag: 'DISCARD ALL' };
    default:
      return unreachable(command);
  }
}

function resetOne(
  command: { readonly name: string; readonly text: string; readonly tag: string },
  current: SessionSettings,
  startup: SessionSettings,
): Effect {
  const { name, text, tag } = command;
  const value = startup.values.get(name);
  if (value === undefined) {
    const settings = (name === authorization ? current.without('role') : current).without(name);
    return { sql: settings.replay(current) ?? text, settings, tag };
  }
  // RESET would lead to the server's own default.
  const settings = current.with(name, value);
  return { sql: settings.replay(settings.without(name)), settings, tag };
}

function refusedSetting(command: SettingCommand, inBlock: boolean): PgError | null {
  if (command.kind === 'discard-all' && inBlock) {
    const message = 'DISCARD ALL cannot run inside a transaction block';
    return new PgError(SqlState.activeSqlTransaction, message);
  }
  if (command.kind !== 'set' || command.name !== 'client_encoding') return null;
  if (command.value === null || isUtf8(command.value)) return null;
  return new PgError(
    SqlState.featureNotSupported,
    `client_encoding ${command.value} is not supported`,
    { hint: 'Use UTF8: keys are compared as UTF-8.' },
  );
}

/** UTF8 in the spellings that PostgreSQL takes, and SQL_ASCII, which means "do not convert". */
export function isUtf8(value: string): boolean {
  const name = value.toLowerCase().replace(/[^a-z0-9]/g, '');
  return name === 'utf8' || name === 'unicode' || name === 'sqlascii' || name === 'default';
}

/** Runs the SET on one server, passing ParameterStatus and notices on to the client. */
function judge(
  executor: SessionExecutor,
  effect: Effect,
  sql: string,
  home: ShardId,
  rerunsLeft: number,
  done: Done,
): void {
  const { transaction, output } = executor;
  executor.acquire(
    { shard: home, write: false, share: false, rowless: true },
    done,
    (connection, release) => {
      const exchange = internalExchange(
        (outcome) => {
          if (outcome.kind === 'ready') {
            transaction.note(sql, effect.settings);
            if (transaction.block === 'none') connection.adoptSettings(effect.settings);
          }
          release();
          if (outcome.kind === 'ready') executor.succeed(encodeCommandComplete(effect.tag), done);
          else if (outcome.kind === 'error') executor.fail(outcome, done);
          else if (transaction.block === 'none' && rerunsLeft > 0) {
            executor.later(rerunsLeft, done, () =>
              judge(executor, effect, sql, home, rerunsLeft - 1, done),
            );
          } else executor.fail(lostInTransaction(home, outcome.error), done);
        },
        (code, chunk, start, end) => {
          if (isStatus(code)) output.write(chunk, start, end);
        },
      );
      executor.cancelWith(() => connection.cancel(exchange));
      connection.send(exchange, [encodeQuery(sql)]);
    },
  );
}

function isStatus(code: number): boolean {
  return code === 0x53 || code === 0x4e; // ParameterStatus, NoticeResponse
}

function applyToAll(
  executor: SessionExecutor,
  effect: Effect,
  sql: string,
  participants: readonly Participant[],
  done: Done,
): void {
  const { transaction, output } = executor;
  let waiting = participants.length;
  let failure: PgError | { readonly frame: Buffer } | null = null;
  for (const [index, { connection, shard }] of participants.entries()) {
    const exchange = internalExchange(
      (outcome) => {
        if (outcome.kind === 'lost') failure ??= lostInTransaction(shard, outcome.error);
        else if (outcome.kind === 'error') failure ??= outcome;
        waiting -= 1;
        if (waiting > 0) return;
        if (failure !== null) {
          executor.fail(failure, done);
          return;
        }
        transaction.note(sql, effect.settings);
        executor.succeed(encodeCommandComplete(effect.tag), done);
      },
      (code, chunk, start, end) => {
        if (index === 0 && isStatus(code)) output.write(chunk, start, end);
      },
    );
    connection.send(exchange, [encodeQuery(sql)]);
  }
}
