import type { ServerConnection } from '../backend/server-connection.ts';
import type { SessionSettings } from '../backend/session-settings.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { User } from '../config/config.ts';
import { type ExecutorWorld, SessionExecutor } from '../executor/session-executor.ts';
import { copyDone, syncMessage } from '../protocol/constant-messages.ts';
import { FrontendCode } from '../protocol/message-code.ts';
import { decodeQuery } from '../protocol/query-message.ts';
import { readyForQuery } from '../protocol/ready-for-query.ts';
import type { BatchSession } from './batch-runner.ts';
import type { ClientConnection, ClientHandler } from './client-connection.ts';
import { ExtendedQuery } from './extended-query.ts';
import { runSimpleQuery } from './simple-query.ts';

/** COPY data that may wait for a server before the client has to. */
const copyBufferBytes = 1024 * 1024;

/**
 * A logged-in client. One message is answered after the other: input waits while a statement
 * runs. The state machine: idle -> (query | batch) -> idle, with copy-in inside of both.
 */
export class Session implements ClientHandler, BatchSession {
  readonly connection: ClientConnection;
  readonly executor: SessionExecutor;
  readonly #extended: ExtendedQuery;
  readonly #onEnd: () => void;
  #state: 'idle' | 'query' | 'batch' = 'idle';
  #copyTo: ServerConnection | null = null;
  /** The Sync that began the COPY was not answered: the one behind the data is. */
  #copied = false;
  #draining = false;

  constructor(
    connection: ClientConnection,
    world: ExecutorWorld,
    user: User,
    startup: SessionSettings,
    onEnd: () => void,
  ) {
    this.connection = connection;
    this.executor = new SessionExecutor(world, user, connection, startup);
    this.#extended = new ExtendedQuery(this);
    this.#onEnd = onEnd;
    this.executor.onCopyIn = (server) => this.#beginCopy(server);
    this.executor.onDiscardAll = () => this.#extended.dropStatements();
  }

  get state(): 'idle' | 'active' | 'in-transaction' | 'failed' {
    if (this.#state !== 'idle') return 'active';
    const { block, failed } = this.executor.transaction;
    if (block === 'none') return 'idle';
    return failed ? 'failed' : 'in-transaction';
  }

  onFrame(code: number, chunk: Buffer, start: number, end: number): void {
    switch (code) {
      case FrontendCode.query:
        this.#query(chunk, start, end);
        return;
      case FrontendCode.parse:
      case FrontendCode.bind:
      case FrontendCode.describe:
      case FrontendCode.execute:
      case FrontendCode.close:
      case FrontendCode.flush:
      case FrontendCode.sync:
        this.#batchMessage(code, chunk, start, end);
        return;
      case FrontendCode.copyData:
      case FrontendCode.copyDone:
      case FrontendCode.copyFail:
        this.#copyMessage(code, chunk, start, end);
        return;
      case FrontendCode.terminate:
        this.connection.close();
        return;
      case FrontendCode.functionCall:
        this.#refuseFunctionCall();
        return;
      default:
        throw new PgError(SqlState.protocolViolation, `invalid frontend message type ${code}`, {
          severity: 'FATAL',
        });
    }
  }

  onClosed(): void {
    this.#extended.dropPortals();
    this.executor.abandon();
    this.#onEnd();
  }

  /** A CancelRequest with this session's key. */
  cancel(): void {
    this.executor.cancel();
  }

  /** No new transaction from here on: the session ends at its next quiet moment. */
  drain(): void {
    this.#draining = true;
    this.#endIfDrained();
  }

  /** A batch begins to run. */
  beginBatch(): void {
    this.#state = 'batch';
    this.connection.hold();
  }

  /** A Flush has been done; more of the batch follows. */
  flushed(): void {
    this.connection.flush();
    this.#goOn();
  }

  /** The answer is complete. */
  ready(): void {
    const { block, failed } = this.executor.transaction;
    if (block === 'none') this.#extended.dropPortals();
    if (this.#copied && this.#state === 'batch') this.#copied = false;
    else {
      const status = block === 'none' ? 'idle' : failed ? 'failed' : 'in-transaction';
      this.connection.push(readyForQuery[status]);
    }
    this.connection.flush();
    this.#goOn();
  }

  #goOn(): void {
    this.#state = 'idle';
    if (this.connection.closed || this.#endIfDrained()) return;
    // A client that does not read its answers gets no further questions answered.
    if (this.connection.writable) this.connection.proceed();
    else this.connection.onDrain(() => this.connection.proceed());
  }

  #query(chunk: Buffer, start: number, end: number): void {
    const text = decodeQuery(chunk, start, end);
    this.#state = 'query';
    this.#copied = false;
    this.connection.hold();
    runSimpleQuery(this.executor, text, () => this.ready());
  }

  #batchMessage(code: number, chunk: Buffer, start: number, end: number): void {
    // During COPY the server ignores Flush and Sync (manual, "COPY Operations").
    if (this.#copyTo !== null) return;
    this.#extended.onFrame(code, chunk, start, end);
  }

  #beginCopy(server: ServerConnection): void {
    this.#copyTo = server;
    this.connection.proceed();
  }

  #copyMessage(code: number, chunk: Buffer, start: number, end: number): void {
    const server = this.#copyTo;
    if (server === null) return; // left over from a COPY that failed, as PostgreSQL ignores it
    const frame = Buffer.from(chunk.subarray(start, end));
    if (code === FrontendCode.copyData) {
      server.append([frame]);
      if (server.unsentBytes < copyBufferBytes) return;
      this.connection.hold();
      server.onDrain(() => this.connection.proceed());
      return;
    }
    this.#copyTo = null;
    this.connection.hold();
    if (this.#state === 'query') {
      server.append([code === FrontendCode.copyDone ? copyDone : frame]);
      return;
    }
    this.#copied = true;
    server.append([frame, syncMessage]);
  }

  #refuseFunctionCall(): void {
    const message = 'function call messages are not supported';
    const hint = 'Call the function with SELECT.';
    const error = new PgError(SqlState.featureNotSupported, message, { hint });
    this.executor.fail(error, () => this.ready());
  }

  #endIfDrained(): boolean {
    if (!this.#draining || this.#state !== 'idle') return false;
    if (this.executor.transaction.block !== 'none' || !this.#extended.idle) return false;
    this.connection.terminate(
      new PgError(SqlState.adminShutdown, 'terminating connection due to administrator command', {
        severity: 'FATAL',
      }),
    );
    return true;
  }
}
