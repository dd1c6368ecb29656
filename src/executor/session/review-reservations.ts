import type { ServerConnection } from '../../backend/server-connection.ts';
import type { SessionSettings } from '../../backend/session-settings.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import {
  readTemporaryRelations,
  temporaryRelationsSql,
} from '../../cluster/catalogue/temporary-relations.ts';
import { DataRowReader } from '../../protocol/data-row.ts';
import { decodeErrorResponse } from '../../protocol/error-response.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { internalExchange } from '../internal-exchange.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { type LeftSettings, leftSettingsSql, withChanges, withLeft } from './left-settings.ts';
import { TemporaryRelations } from './temporary-relations.ts';

/**
 * Whether the server session holds what only its client may see, and its temporary relations. It is
 * asked instead of kept account of: functions, rollbacks and cascades can end or leave anything.
 */
const stateSql = `
  select exists (select from pg_catalog.pg_listening_channels())
    or exists (select from pg_catalog.pg_locks
      where locktype = 'advisory' and pid = pg_catalog.pg_backend_pid())
,
  (select pg_catalog.json_agg(r) from (${temporaryRelationsSql}) r),
  (select pg_catalog.json_agg(name) from pg_catalog.pg_cursors where is_holdable)`;

/**
 * After a statement, or a block, that may have changed what is kept on servers: connections on
 * which nothing is left go back to their pools, unless a transaction goes on, and the planner
 * learns the names of temporary relations. A connection that is lost meanwhile ends the session.
 * When the client is gone, nothing is left to keep.
 */
export function reviewReservations(executor: SessionExecutor, done: () => void): void {
  const { reservations } = executor.kept;
  const { transaction } = executor;
  if (transaction.isAbandoned && transaction.block === 'none') executor.kept.drop();
  if (reservations.isEmpty || transaction.failed) {
    if (transaction.block === 'none') reservations.isWatching = false;
    done();
    return;
  }
  executor.cancelWith(null);
  const { settings } = transaction;
  const lefts: SessionSettings[] = [];
  // What was set is asked for only where a function may have done it.
  const settingsSql =
    reservations.isWatching && transaction.block === 'none' ? leftSettingsSql(executor) : 'null';
  const question = `${stateSql}, ${settingsSql}`;
  let waiting = reservations.all.size;
  for (const [shard, connection] of [...reservations.all]) {
    ask(connection, question, (answer) => {
      if (answer !== null) {
        const left = answer.settings === null ? null : withLeft(settings, answer.settings);
        if (left !== null) {
          connection.adoptSettings(left);
          lefts.push(left);
        }
        take(executor, shard, answer);
      }
      waiting -= 1;
      if (waiting > 0) return;
      if (transaction.block === 'none') reservations.isWatching = false;
      if (lefts.length > 0) transaction.note(null, withChanges(settings, lefts));
      done();
    });
  }
}

const retriesMax = 5;

type Answer = {
  readonly keeps: boolean;
  readonly relations: string | null;
  /** Names of cursors WITH HOLD. */
  readonly cursors: readonly string[];
  /** null: not asked for. */
  readonly settings: LeftSettings | null;
};

function take(executor: SessionExecutor, shard: ShardId, answer: Answer): void {
  const { keeps, relations, cursors } = answer;
  const { kept, transaction, world } = executor;
  const { planner } = world;
  if (shard === planner.shardMap.home) {
    const { defaultCollation } = planner.schema;
    const read = relations === null ? [] : readTemporaryRelations(relations, defaultCollation);
    kept.temporary = read.length === 0 ? null : new TemporaryRelations(read);
  }
  if (transaction.block === 'none') executor.cursors.keepHeld(shard, cursors);
  if (!keeps && relations === null && cursors.length === 0) {
    if (transaction.block === 'none') kept.reservations.giveBack(shard);
    return;
  }
  const refusal = kept.reservations.keepOn(shard, kept.holder);
  if (refusal === null) return;
  // What has been left is the session's, and cannot be: it must not go on without.
  kept.reservations.giveBack(shard);
  kept.holder.lost(refusal);
}

/** null: the connection is lost. */
function ask(
  connection: ServerConnection,
  question: string,
  answered: (answer: Answer | null) => void,
  retriesLeft = retriesMax,
): void {
  let keeps = true;
  let relations: string | null = null;
  let cursors: readonly string[] = [];
  let settings: LeftSettings | null = null;
  const reader = new DataRowReader();
  const exchange = internalExchange(
    (outcome) => {
      if (outcome.kind === 'error') {
        const { sqlState, message } = decodeErrorResponse(outcome.frame, 0, outcome.frame.length);
        // A cancel request of the client has come late, for the statement before.
        if (sqlState === SqlState.queryCanceled && retriesLeft > 0) {
          ask(connection, question, answered, retriesLeft - 1);
          return;
        }
        // Nobody knows what is there then: the session ends with it.
        connection.destroy(`what the session keeps could not be read: ${message}`);
      }
      answered(outcome.kind === 'ready' ? { keeps, relations, cursors, settings } : null);
    },
    (code, chunk, start, end) => {
      if (code !== BackendCode.dataRow) return;
      const text = () => {
        if (!reader.next()) throw incomplete();
        const { valueStart, valueLength } = reader;
        return valueLength < 0
          ? null
          : chunk.toString('utf8', valueStart, valueStart + valueLength);
      };
      reader.open(chunk, start, end);
      keeps = text() === 't';
      relations = text();
      cursors = JSON.parse(text() ?? '[]');
      const left = text();
      settings = left === null ? null : JSON.parse(left);
    },
  );
  connection.send(exchange, [encodeQuery(question)]);
}

/** It ends the connection, as everything does that has no place in the protocol. */
function incomplete(): PgError {
  return new PgError(SqlState.protocolViolation, 'a server has answered with too few columns');
}
