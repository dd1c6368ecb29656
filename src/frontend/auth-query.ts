import type { ServerConnection } from '../backend/server-connection.ts';
import { emptySettings } from '../backend/session-settings.ts';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { ShardServers } from '../cluster/shard-servers.ts';
import { accountOf } from '../config/account.ts';
import type { AuthQuery, User } from '../config/config.ts';
import type { PasswordOptions } from '../config/stored-password.ts';
import { type InternalOutcome, internalExchange } from '../executor/internal-exchange.ts';
import { encodeBind } from '../protocol/bind-message.ts';
import { syncMessage } from '../protocol/constant-messages.ts';
import { DataRowReader } from '../protocol/data-row.ts';
import { decodeErrorResponse } from '../protocol/error-response.ts';
import { encodeExecute } from '../protocol/execute-message.ts';
import { BackendCode } from '../protocol/message-code.ts';
import { encodeParse } from '../protocol/parse-message.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { Accounts } from './accounts.ts';

export type AuthQueryParts = {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly servers: ShardServers;
  readonly home: ShardId;
  readonly authQuery: AuthQuery;
  readonly passwords: PasswordOptions;
};

type Waiter = { found(user: User | null): void; failed(error: PgError): void };
type Row = { readonly name: string | null; readonly password: string | null };

/** Connections that strangers can make busy. */
const lookupsMax = 4;
const rememberedMax = 10_000;
/** NAMEDATALEN - 1: no role is called so, and strangers' names are remembered. */
const nameBytesMax = 63;

/**
 * Asks the home shard for users: the name travels as a parameter. Answers are remembered for a
 * short while, those that there is no such user as well; clients that ask for the same name at the
 * same time share one question.
 */
export class QueriedAccounts implements Accounts {
  readonly #parts: AuthQueryParts;
  readonly #asker: User;
  readonly #remembered = new Map<string, { readonly user: User | null; readonly until: number }>();
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** Names whose turn has not come; the others of `#waiters` are being asked for. */
  readonly #queue: string[] = [];
  #underWay = 0;

  constructor(parts: AuthQueryParts) {
    const { user, password } = parts.authQuery;
    this.#parts = parts;
    this.#asker = {
      name: user,
      verifier: null,
      md5Hash: null,
      serverUser: user,
      serverSecret: password === null ? { kind: 'none' } : { kind: 'password', password },
      admin: false,
      stats: false,
      safeWrites: null,
    };
  }

  find(
    name: string,
    found: (user: User | null) => void,
    failed: (error: PgError) => void,
  ): () => void {
    if (Buffer.byteLength(name) > nameBytesMax) {
      found(null);
      return () => {};
    }
    const known = this.#remembered.get(name);
    if (known !== undefined && this.#parts.clock.now() < known.until) {
      found(known.user);
      return () => {};
    }
    const waiter = { found, failed };
    const others = this.#waiters.get(name);
    if (others !== undefined) others.add(waiter);
    else {
      this.#waiters.set(name, new Set([waiter]));
      this.#queue.push(name);
      this.#next();
    }
    return () => this.#waiters.get(name)?.delete(waiter);
  }

  #next(): void {
    while (this.#underWay < lookupsMax) {
      const name = this.#queue.shift();
      if (name === undefined) return;
      this.#underWay++;
      // Whoever asked may have left while it waited.
      if (this.#waiters.get(name)?.size === 0) this.#settle(name, () => {});
      else this.#ask(name);
    }
  }

  #ask(name: string): void {
    const { servers, home } = this.#parts;
    servers.lease(home, {
      user: this.#asker,
      settings: emptySettings,
      mode: 'exclusive',
      onLease: (connection) => this.#send(connection, name),
      onRefused: (error) => this.#failed(name, error),
    });
  }

  #send(connection: ServerConnection, name: string): void {
    const rows: Row[] = [];
    const done = (outcome: InternalOutcome) => {
      connection.release();
      if (outcome.kind === 'ready') this.#answered(name, rows);
      else if (outcome.kind === 'lost') this.#failed(name, outcome.error);
      else this.#failed(name, decodeErrorResponse(outcome.frame, 0, outcome.frame.length));
    };
    const exchange = internalExchange(done, (code, chunk, start, end) => {
      if (code === BackendCode.dataRow) rows.push(readRow(chunk, start, end));
    });
    connection.send(exchange, [
      encodeParse({ name: '', sql: this.#parts.authQuery.query, typeOids: [] }),
      encodeBind({ portal: '', statement: '', formats: [], values: [name], resultFormats: [] }),
      encodeExecute({ portal: '', rowsMax: 0 }),
      syncMessage,
    ]);
  }

  #answered(name: string, rows: readonly Row[]): void {
    const { clock, authQuery, passwords } = this.#parts;
    const row = rows.find((candidate) => candidate.name === name);
    const user = row === undefined ? null : accountOf(name, row.password, passwords);
    if (this.#remembered.size >= rememberedMax) this.#remembered.clear();
    this.#remembered.set(name, { user, until: clock.now() + authQuery.cacheMs });
    this.#settle(name, ({ found }) => found(user));
  }

  /** What the server says of our own query is for the log, not for a stranger. */
  #failed(name: string, error: PgError): void {
    this.#parts.telemetry.log('error', 'the auth_query failed', { error });
    const told = new PgError(SqlState.cannotConnectNow, 'the user could not be looked up', {
      severity: 'FATAL',
    });
    this.#settle(name, ({ failed }) => failed(told));
  }

  #settle(name: string, tell: (waiter: Waiter) => void): void {
    const waiters = this.#waiters.get(name) ?? [];
    this.#waiters.delete(name);
    this.#underWay--;
    for (const waiter of waiters) tell(waiter);
    this.#next();
  }
}

function readRow(chunk: Buffer, start: number, end: number): Row {
  const reader = new DataRowReader();
  reader.open(chunk, start, end);
  const text = () => {
    if (!reader.next() || reader.valueLength < 0) return null;
    return chunk.toString('utf8', reader.valueStart, reader.valueStart + reader.valueLength);
  };
  return { name: text(), password: text() };
}
