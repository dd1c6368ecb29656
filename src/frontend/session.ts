import type { SessionSettings } from '../backend/session-settings.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { User } from '../config/config.ts';
import type { CopyReceiver } from '../executor/copy/copy-receiver.ts';
import type { ExecutorWorld } from '../executor/executor-world.ts';
import type {
  ClientPortal,
  PreparedText,
  SessionEvents,
} from '../executor/session/session-events.ts';
import { SessionExecutor } from '../executor/session-executor.ts';
import { endImplicitBlock } from '../executor/transaction/transaction-commands.ts';
import { FrontendCode } from '../protocol/message-code.ts';
import { decodeQuery } from '../protocol/query-message.ts';
import { readyForQuery } from '../protocol/ready-for-query.ts';
import type { BatchSession } from './batch-runner.ts';
import type { ClientConnection, ClientHandler } from './client-connection.ts';
import { ExtendedQuery } from './extended-query.ts';
import { Notifications } from './notifications.ts';
import type { ParsedTexts } from './parsed-texts.ts';
import { runSimpleQuery } from './simple-query.ts';

const allowedInCopy: ReadonlySet<number> = new Set([
  FrontendCode.copyData,
  FrontendCode.copyDone,
  FrontendCode.copyFail,
  FrontendCode.flush,
  FrontendCode.sync,
  FrontendCode.terminate,
]);

/**
 * A logged-in client. One message is answered after the other: input waits while a statement
 * runs. The state machine: idle -> (query | batch) -> idle, with copy-in inside of both.
 */
export class Session implements ClientHandler, BatchSession, SessionEvents {
  readonly connection: ClientConnection;
  readonly executor: SessionExecutor;
  readonly #extended: ExtendedQuery;
  readonly #onEnd: () => void;
  #state: 'idle' | 'query' | 'batch' = 'idle';
  #batchEnd: 'sync' | 'flush' = 'sync';
  #copyTo: CopyReceiver | null = null;
  /** The rest of a CopyData message is still to come. */
  #inCopyPart = false;
  #awaitsSync = false;
  /** A query that came before the Sync of the messages in front of it. */
  #next: (() => void) | null = null;
  /** A message of COPY that came before anything had the Execute in front of it run. */
  #early: (() => void) | null = null;
  #draining = false;
  readonly #notifications: Notifications;

  /** `processId`: what the client has been told as its own. */
  constructor(
    connection: ClientConnection,
    world: ExecutorWorld,
    user: User,
    startup: SessionSettings,
    shared: { readonly texts: ParsedTexts; readonly processId: number },
    onEnd: () => void,
  ) {
    this.connection = connection;
    this.executor = new SessionExecutor(world, user, connection, startup, this);
    this.#extended = new ExtendedQuery(this, shared.texts);
    this.#notifications = new Notifications(shared.processId);
    this.#onEnd = onEnd;
  }

  discardAll(): void {
    this.#extended.dropStatements();
  }

  prepare(name: string, sql: string, typeOids: readonly number[]): void {
    this.#extended.prepareText(name, sql, typeOids);
  }

  preparedStatement(name: string): PreparedText | null {
    return this.#extended.prepared(name);
  }

  deallocate(name: string | null): boolean {
    if (name !== null) return this.#extended.deallocate(name);
    this.#extended.dropStatements();
    return true;
  }

  copyIn(receiver: CopyReceiver): void {
    this.#copyTo = receiver;
    this.#awaitsSync = this.#state === 'batch' && this.#batchEnd === 'sync';
    const early = this.#early;
    this.#early = null;
    if (this.connection.closed) this.#stopCopy('client disconnected');
    else if (this.#next !== null) this.connection.terminate(unexpectedInCopy(FrontendCode.query));
    else if (early === null) this.connection.proceed();
    else early();
  }

  errorPassed(): void {
    this.#stopCopy(null);
  }

  closePortals(): void {
    this.#extended.dropPortals();
  }

  savepointReleased(): void {
    const { cursors, transaction } = this.executor;
    cursors.savepointsReleased(transaction.savepointCount);
    this.#extended.savepointsReleased(transaction.savepointCount);
  }

  savepointRolledBack(): void {
    const { cursors, transaction } = this.executor;
    cursors.savepointsRolledBack(transaction.savepointCount);
    this.#extended.savepointsRolledBack(transaction.savepointCount);
  }

  notified(frame: Buffer): void {
    this.#notifications.add(frame, this.executor.kept.reservations.all.values());
    if (this.#state === 'idle' && this.executor.transaction.block === 'none') {
      this.#notifications.deliver(this.connection);
      this.connection.flush();
    }
    const { excess } = this.#notifications;
    if (excess !== null) this.connection.terminate(excess);
  }

  stateLost(cause: PgError): void {
    this.executor.world.telemetry.errorSent(SqlState.adminShutdown);
    this.connection.terminate(
      new PgError(SqlState.adminShutdown, 'terminating connection due to the loss of a server', {
        severity: 'FATAL',
        detail: `It held what this session alone has, as temporary tables and session locks: ${cause.message}`,
        hint: 'Connect again, and make anew what the session needs.',
      }),
    );
  }

  portal(name: string): ClientPortal | null {
    return this.#extended.clientPortal(name);
  }

  get state(): 'idle' | 'active' | 'in-transaction' | 'failed' {
    if (this.#state !== 'idle') return 'active';
    const { block, failed } = this.executor.transaction;
    if (block === 'none') return 'idle';
    return failed ? 'failed' : 'in-transaction';
  }

  /** The server ignored the Sync that began the COPY: the one behind the data is answered. */
  get awaitsSync(): boolean {
    return this.#awaitsSync;
  }

  onFrame(code: number, chunk: Buffer, start: number, end: number): void {
    if (this.#copyTo !== null && !allowedInCopy.has(code)) throw unexpectedInCopy(code);
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
        if (!this.#extended.skipping) this.#refuseFunctionCall();
        return;
      default:
        throw new PgError(SqlState.protocolViolation, `invalid frontend message type ${code}`, {
          severity: 'FATAL',
        });
    }
  }

  /** Of a CopyData message, the only one that comes in pieces. */
  onFramePart(code: number, chunk: Buffer, start: number, end: number, remaining: number): void {
    if (code !== FrontendCode.copyData) {
      throw new PgError(SqlState.protocolViolation, 'invalid message length', {
        severity: 'FATAL',
      });
    }
    const isFirst = !this.#inCopyPart;
    this.#inCopyPart = remaining > 0;
    this.#copyData(chunk, start, end, isFirst);
  }

  onClosed(): void {
    this.#stopCopy('client disconnected');
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
  beginBatch(end: 'sync' | 'flush'): void {
    this.#state = 'batch';
    this.#batchEnd = end;
    this.connection.hold();
  }

  /** A Flush has been done; more of the batch follows. */
  flushed(): void {
    this.connection.flush();
    this.#copyTo = null;
    const next = this.#next;
    this.#next = null;
    this.#early = null;
    if (next === null || this.#extended.skipping) this.#goOn();
    else next();
  }

  /** The answer is complete. */
  ready(): void {
    this.#copyTo = null;
    const { block, failed } = this.executor.transaction;
    if (block === 'none') this.#extended.dropPortals();
    if (this.#awaitsSync) this.#awaitsSync = false;
    else {
      const status = block === 'none' ? 'idle' : failed ? 'failed' : 'in-transaction';
      if (block === 'none') this.#notifications.deliver(this.connection);
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
    if (this.#extended.skipping) return;
    const text = readQuery(chunk, start, end);
    if (text instanceof PgError) {
      this.executor.fail(text, () => this.ready());
      return;
    }
    if (this.#extended.idle) {
      this.#runQuery(text);
      return;
    }
    this.#next = () => this.#runQuery(text);
    this.#extended.runPending();
  }

  #runQuery(text: string): void {
    const { executor } = this;
    this.#extended.dropUnnamed();
    this.#state = 'query';
    this.connection.hold();
    runSimpleQuery(executor, text, () => {
      if (executor.transaction.block !== 'implicit') this.ready();
      else endImplicitBlock(executor, () => this.ready());
    });
  }

  #batchMessage(code: number, chunk: Buffer, start: number, end: number): void {
    // During COPY the server ignores Flush and Sync (manual, "COPY Operations").
    if (this.#copyTo !== null) return;
    this.#extended.onFrame(code, chunk, start, end);
  }

  #copyMessage(code: number, chunk: Buffer, start: number, end: number): void {
    if (code === FrontendCode.copyData) {
      this.#copyData(chunk, start, end, true);
      return;
    }
    const receiver = this.#copyTo;
    if (receiver === null) {
      this.#runExecuted(code, chunk, start, end);
      return;
    }
    this.#copyTo = null;
    this.connection.hold();
    receiver.end(code, chunk, start, end);
  }

  #copyData(chunk: Buffer, start: number, end: number, isFirst: boolean): void {
    const receiver = this.#copyTo;
    if (receiver === null) {
      this.#runExecuted(FrontendCode.copyData, chunk, start, end);
      return;
    }
    receiver.add(chunk, start, end, isFirst);
    if (receiver.writable || this.#copyTo !== receiver) return;
    this.connection.hold();
    receiver.onDrain(() => {
      if (this.#copyTo === receiver) this.connection.proceed();
    });
  }

  /** Data may follow an Execute without Flush; what is left over from a COPY that failed is ignored. */
  #runExecuted(code: number, chunk: Buffer, start: number, end: number): void {
    if (this.#extended.idle) return;
    const frame = Buffer.from(chunk.subarray(start, end));
    this.#early = () => {
      this.#copyMessage(code, frame, 0, frame.length);
      if (this.#copyTo?.writable) this.connection.proceed();
    };
    this.#extended.runPending();
  }

  /** The COPY has ended with an error, or (`reason`) it has to. */
  #stopCopy(reason: string | null): void {
    const receiver = this.#copyTo;
    if (receiver === null) return;
    this.#copyTo = null;
    this.connection.hold();
    if (reason === null) receiver.failed();
    else receiver.abort(reason);
  }

  #refuseFunctionCall(): void {
    const message = 'function call messages are not supported';
    const hint = 'Call the function with SELECT.';
    const error = new PgError(SqlState.featureNotSupported, message, { hint });
    this.executor.fail(error, () => this.ready());
  }

  #endIfDrained(): boolean {
    if (!this.#draining || this.#state !== 'idle') return false;
    const { idle, skipping } = this.#extended;
    if (this.executor.transaction.block !== 'none' || !idle || skipping) return false;
    this.connection.terminate(
      new PgError(SqlState.adminShutdown, 'terminating connection due to administrator command', {
        severity: 'FATAL',
      }),
    );
    return true;
  }
}

/** The text, or an error that the session survives. */
function readQuery(chunk: Buffer, start: number, end: number): string | PgError {
  try {
    return decodeQuery(chunk, start, end);
  } catch (error) {
    if (error instanceof PgError) return error;
    throw error;
  }
}

function unexpectedInCopy(code: number): PgError {
  return new PgError(
    SqlState.protocolViolation,
    `unexpected message type ${code} during COPY from stdin`,
    { severity: 'FATAL' },
  );
}
