import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { User } from '../config/config.ts';
import { encodeCommandComplete } from '../protocol/command-complete.ts';
import { emptyQueryResponse } from '../protocol/constant-messages.ts';
import { encodeDataRow } from '../protocol/data-row.ts';
import { encodeErrorResponse, encodeNoticeResponse } from '../protocol/error-response.ts';
import { FrontendCode } from '../protocol/message-code.ts';
import { decodeQuery } from '../protocol/query-message.ts';
import { readyForQuery } from '../protocol/ready-for-query.ts';
import { encodeRowDescription } from '../protocol/row-description.ts';
import type { AdminConsole, AdminResult } from './admin-console.ts';
import type { ClientConnection, ClientHandler } from './client-connection.ts';

const textOid = 25;
const clientCodes: ReadonlySet<number> = new Set(Object.values(FrontendCode));

/** A client on the database `pgweave`: simple queries, answered by the admin console. */
export class AdminSession implements ClientHandler {
  readonly connection: ClientConnection;
  readonly #console: AdminConsole;
  readonly #user: User;
  readonly #onEnd: () => void;
  #skipping = false;
  #busy = false;

  constructor(connection: ClientConnection, console: AdminConsole, user: User, onEnd: () => void) {
    this.connection = connection;
    this.#console = console;
    this.#user = user;
    this.#onEnd = onEnd;
  }

  get state(): 'idle' | 'active' {
    return this.#busy ? 'active' : 'idle';
  }

  onFrame(code: number, chunk: Buffer, start: number, end: number): void {
    switch (code) {
      case FrontendCode.query:
        this.#query(decodeQuery(chunk, start, end));
        return;
      case FrontendCode.terminate:
        this.connection.close();
        return;
      case FrontendCode.sync:
        this.#skipping = false;
        this.#ready();
        return;
      default:
        if (!clientCodes.has(code)) {
          throw new PgError(SqlState.protocolViolation, `invalid frontend message type ${code}`, {
            severity: 'FATAL',
          });
        }
        if (this.#skipping) return;
        this.#skipping = true;
        this.#fail(
          new PgError(SqlState.featureNotSupported, 'the admin console takes simple queries only', {
            hint: 'Use psql, or switch your driver to the simple query protocol.',
          }),
        );
    }
  }

  onClosed(): void {
    this.#onEnd();
  }

  cancel(): void {}

  drain(): void {
    this.connection.terminate(
      new PgError(SqlState.adminShutdown, 'terminating connection due to administrator command', {
        severity: 'FATAL',
      }),
    );
  }

  #query(sql: string): void {
    if (sql.replaceAll(';', '').trim() === '') {
      this.connection.push(emptyQueryResponse);
      this.#ready();
      return;
    }
    this.#busy = true;
    this.connection.hold();
    const { name, admin } = this.#user;
    this.#console.execute(sql, { name, admin }).then(
      (result) => this.#answer(result),
      (error: unknown) => {
        if (!(error instanceof PgError)) throw error;
        this.#fail(error);
        this.#ready();
      },
    );
  }

  #answer(result: AdminResult): void {
    if (result.notice !== null) {
      this.connection.push(
        encodeNoticeResponse({ severity: 'NOTICE', sqlState: '00000', message: result.notice }),
      );
    }
    if (result.columns.length > 0) {
      this.connection.push(encodeRowDescription(result.columns.map(textColumn)));
      for (const row of result.rows) this.connection.push(encodeDataRow(row));
    }
    this.connection.push(encodeCommandComplete(result.tag));
    this.#ready();
  }

  #fail(error: PgError): void {
    this.connection.push(encodeErrorResponse(error));
  }

  #ready(): void {
    this.#busy = false;
    this.connection.push(readyForQuery.idle);
    this.connection.flush();
    this.connection.proceed();
  }
}

function textColumn(name: string) {
  return {
    name,
    tableOid: 0,
    columnNumber: 0,
    typeOid: textOid,
    typeSize: -1,
    typeModifier: -1,
    format: 0,
  };
}
