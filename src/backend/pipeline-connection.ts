import type { Socket } from 'node:net';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { NodeAddress } from '../config/config.ts';
import type { CancelKey } from '../protocol/backend-key-data.ts';
import { terminateMessage } from '../protocol/constant-messages.ts';
import { decodeErrorFields, decodeErrorResponse, isFatal } from '../protocol/error-response.ts';
import { FrameReader } from '../protocol/frame-reader.ts';
import { BackendCode } from '../protocol/message-code.ts';
import { decodeReadyForQuery } from '../protocol/ready-for-query.ts';
import type { TypeTranslation } from '../protocol/type-translation.ts';
import { answerCodes } from './answer-codes.ts';
import { AnswerTranslator } from './answer-translator.ts';
import { type CancelOutcome, sendCancelRequest } from './cancel-request.ts';
import { Cancellation } from './cancellation.ts';
import type { Exchange, TransactionStatus } from './exchange.ts';
import { nextFrame } from './next-frame.ts';
import { connectionLost, unexpectedMessage } from './node-failure.ts';
import { noteParameter } from './note-parameter.ts';
import type { PipelineOptions } from './pipeline-options.ts';
import { PreparedNames } from './prepared-names.ts';
import type { ConnectionHolder, ServerConnection } from './server-connection.ts';
import type { LoggedInSocket } from './server-handshake.ts';
import { emptySettings, type SessionSettings } from './session-settings.ts';
import { TurnWriter } from './turn-writer.ts';

/**
 * `lost`: the server or the network ended it; `failed`: what the server said cannot be right, or
 * not be held; `closed`: we did not need it any more.
 */
export type ConnectionEnd = 'lost' | 'failed' | 'closed';

/** The pool, as its connections see it. */
export type ConnectionOwner = {
  /** Bytes came from the server. */
  received(): void;
  /** An exchange ended, and the connection moved on. */
  advanced(connection: PipelineConnection): void;
  released(connection: PipelineConnection): void;
  /** Why no more connections may be reserved; null: one may. */
  mayReserve(): PgError | null;
  /** The server has dealt with a cancel request. */
  cancelSettled(connection: PipelineConnection): void;
  /** Called before the exchanges get their onLost. */
  ended(connection: PipelineConnection, error: PgError, end: ConnectionEnd): void;
};

/**
 * A server session with a FIFO of exchanges. The server answers in the order of sending and ends
 * each answer with ReadyForQuery, so counting those is all it takes to know whose frame it is:
 *
 *     frames since the last ReadyForQuery belong to queue[0], which awaits #readyLeft more of them
 */
export class PipelineConnection implements ServerConnection {
  readonly node: NodeAddress;
  /** Set by the pool while exchanges of several clients may queue here. */
  isShared = false;

  readonly #options: PipelineOptions & Pick<LoggedInSocket, 'tls'>;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #writer: TurnWriter;
  readonly #reader: FrameReader;
  readonly #parameters: Map<string, string>;
  readonly #cancelKey: CancelKey | null;
  readonly #prepared: PreparedNames;

  #queue: Exchange[] = [];
  #head: Exchange | undefined;
  #readyLeft = 0;
  #status: TransactionStatus = 'idle';
  #settings: SessionSettings = emptySettings;
  #lostError: PgError | null = null;
  /** The server's last words, which say more than the end of the stream. */
  #farewell: PgError | null = null;
  /** The chunk of which the head has been given frames since its last onChunkEnd. */
  #rangeChunk: Buffer | null = null;
  #isTainted = false;
  #isPaused = false;
  readonly #translator: AnswerTranslator;
  /** null until something is to be cancelled. */
  #cancellation: Cancellation | null = null;
  #holder: ConnectionHolder | null = null;
  /** Unreserved while the server still had work to do. */
  #isLeaving = false;

  constructor(options: PipelineOptions, session: LoggedInSocket, owner: ConnectionOwner) {
    this.node = options.node;
    this.#options = { ...options, tls: session.tls };
    this.#owner = owner;
    this.#socket = session.link.socket;
    this.#parameters = session.parameters;
    this.#cancelKey = session.cancelKey;
    this.#prepared = new PreparedNames(options.preparedStatementsMax);
    this.#reader = new FrameReader({ frameBytesMax: options.frameBytesMax });
    this.#writer = new TurnWriter(this.#socket);
    this.#translator = new AnswerTranslator(options.types);
    session.link.receive = (chunk) => this.#receive(chunk);
    const { rest } = session;
    if (rest.length > 0) setImmediate(() => this.#receive(rest));
    this.#socket.on('end', () => this.#lose(null));
    this.#socket.on('error', (cause) => this.#lose(cause));
    this.#socket.on('close', () => this.#lose(null));
    this.#socket.resume();
  }

  get processId(): number | null {
    return this.#cancelKey?.backendId ?? null;
  }

  get status(): TransactionStatus {
    return this.#status;
  }

  get depth(): number {
    return this.#queue.length;
  }

  get alive(): boolean {
    return this.#lostError === null;
  }

  get settings(): SessionSettings {
    return this.#settings;
  }

  get parameters(): ReadonlyMap<string, string> {
    return this.#parameters;
  }

  get types(): TypeTranslation | null {
    return this.#options.types();
  }

  get unsentBytes(): number {
    return this.#writer.unsentBytes;
  }

  get isReserved(): boolean {
    return this.#holder?.isBrief === false || this.#isLeaving;
  }

  get isTainted(): boolean {
    return this.#isTainted;
  }

  get isCancelling(): boolean {
    return this.#cancellation?.isUnderWay === true;
  }

  /** True when it must not serve another client. */
  get isUnfit(): boolean {
    const isHaunted = this.#cancellation?.isHaunted === true;
    return isHaunted || this.#queue.length > 0 || this.#status !== 'idle';
  }

  send(exchange: Exchange, messages: readonly Buffer[]): void {
    const lost = this.#lostError;
    if (lost !== null) {
      setImmediate(() => exchange.onLost(lost));
      return;
    }
    this.#queue.push(exchange);
    if (this.#head === undefined) this.#advance();
    this.#writer.write(messages);
  }

  append(messages: readonly Buffer[]): void {
    if (this.alive) this.#writer.write(messages);
  }

  onDrain(callback: () => void): void {
    if (this.alive) this.#writer.onDrain(callback);
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }

  hasPrepared(name: string): boolean {
    return this.#prepared.has(name);
  }

  notePrepared(name: string): string | null {
    return this.#prepared.add(name);
  }

  forgetPrepared(name: string): void {
    this.#prepared.delete(name);
  }

  forgetAllPrepared(): void {
    this.#prepared.clear();
  }

  taint(): void {
    this.#isTainted = true;
  }

  /** After DISCARD ALL. */
  cleanse(): void {
    this.#isTainted = false;
    this.#settings = emptySettings;
    this.#prepared.clear();
  }

  adoptSettings(settings: SessionSettings): void {
    this.#settings = settings;
  }

  reserve(holder: ConnectionHolder): PgError | null {
    const refusal = holder.isBrief || this.isReserved ? null : this.#owner.mayReserve();
    if (refusal === null) this.#holder = holder;
    return refusal;
  }

  unreserve(): void {
    this.#holder = null;
    this.taint();
    this.#isLeaving = this.#queue.length > 0;
    if (!this.#isLeaving) this.release();
  }

  release(): void {
    if (!this.alive) return;
    if (this.#isPaused) this.resume();
    if (this.#holder === null && !this.#isLeaving) this.#owner.released(this);
  }

  cancel(exchange: Exchange): void {
    const key = this.#cancelKey;
    if (key === null) return;
    this.#cancellation ??= new Cancellation({
      clock: this.#options.clock,
      request: (onOutcome) => this.#requestCancel(key, onOutcome),
      settled: () => this.alive && this.#owner.cancelSettled(this),
    });
    this.#cancellation.doom(exchange, this.#queue);
  }

  /** Says goodbye: for a session that does nothing. */
  close(): void {
    if (!this.alive) return;
    this.#socket.end(terminateMessage);
    this.#end(new PgError(SqlState.connectionFailure, 'the connection was closed'), 'closed');
  }

  destroy(reason: string): void {
    if (!this.alive) return;
    // Without this the server would work on for nobody until it has a row to send.
    if (this.#head !== undefined && this.#cancelKey !== null && !this.isCancelling) {
      this.#requestCancel(this.#cancelKey, () => {});
    }
    this.#socket.destroy();
    this.#end(new PgError(SqlState.connectionFailure, reason), 'closed');
  }

  #requestCancel(key: CancelKey, onOutcome: (outcome: CancelOutcome) => void): void {
    const { connectTimeoutMs: timeoutMs, ...place } = this.#options;
    sendCancelRequest({ ...place, key, timeoutMs }, onOutcome);
  }

  #receive(chunk: Buffer): void {
    this.#owner.received();
    const reader = this.#reader;
    try {
      reader.push(chunk);
      while (this.#lostError === null && nextFrame(reader, this.node)) this.#take(reader);
      this.#endRange();
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      this.#fail(error);
    }
  }

  #take(reader: FrameReader): void {
    const { code, chunk, start, end } = reader;
    switch (code) {
      case BackendCode.readyForQuery:
        this.#ready(decodeReadyForQuery(chunk, start, end));
        return;
      case BackendCode.notificationResponse:
        this.#holder?.notified(chunk.subarray(start, end));
        return;
      case BackendCode.parameterStatus:
        noteParameter(this.#parameters, chunk, start, end);
        if (this.#head === undefined) return;
        break;
      case BackendCode.noticeResponse:
        if (this.#head === undefined) return;
        break;
      case BackendCode.errorResponse:
        if (this.#isHandled(chunk, start, end)) return;
        break;
      default:
        break;
    }
    const head = this.#head;
    if (head === undefined || answerCodes[code] === 0) throw unexpectedMessage(this.node, code);
    if (this.#rangeChunk !== chunk) {
      if (!this.#endRange()) return;
      this.#rangeChunk = chunk;
    }
    this.#translator.translate(code, chunk, start, end);
    if (reader.isPart) head.onFramePart?.(code, chunk, start, end, reader.remaining);
    else head.onFrame(code, chunk, start, end);
  }

  #ready(status: TransactionStatus | null): void {
    const head = this.#head;
    if (head === undefined || status === null) {
      throw unexpectedMessage(this.node, BackendCode.readyForQuery);
    }
    if (!this.#endRange()) return;
    this.#status = status;
    const remaining = --this.#readyLeft;
    if (remaining === 0) this.#moveOn(head);
    head.onReady(status, remaining);
    if (remaining > 0 || this.#lostError !== null) return;
    if (this.isShared && status !== 'idle') {
      this.#fail(new PgError(SqlState.internalError, 'a shared statement began a transaction'));
    } else if (this.#isLeaving && this.#queue.length === 0) {
      this.#isLeaving = false;
      this.release();
    } else this.#owner.advanced(this);
  }

  #moveOn(finished: Exchange): void {
    this.#queue.shift();
    this.#cancellation?.ended(finished);
    this.#advance();
    // A pause is the wish of the exchange that was at the head.
    if (this.#isPaused) this.resume();
  }

  #advance(): void {
    const head = this.#queue[0];
    this.#head = head;
    this.#readyLeft = head?.readyCount ?? 0;
    const mayPart = head === undefined || this.#translator.begin(head);
    this.#reader.parts = mayPart && head?.onFramePart !== undefined;
    this.#cancellation?.headIs(this.#queue);
  }

  /** False: who took the rows has ended the connection, perhaps because the client is gone. */
  #endRange(): boolean {
    if (this.#rangeChunk === null) return true;
    this.#rangeChunk = null;
    this.#head?.onChunkEnd();
    return this.alive;
  }

  /** True when the error is not for the exchange at the head. */
  #isHandled(chunk: Buffer, start: number, end: number): boolean {
    const fields = decodeErrorFields(chunk, start, end);
    if (isFatal(fields)) {
      this.#farewell = decodeErrorResponse(chunk, start, end);
      return this.#head === undefined;
    }
    const head = this.#head;
    if (head === undefined || fields.get('C') !== SqlState.queryCanceled) return false;
    if (this.#cancellation?.mayStrike(head) !== true) return false;
    this.#fail(
      new PgError(
        SqlState.connectionFailure,
        'interrupted by the cancel request of another client',
      ),
    );
    return true;
  }

  #lose(cause: Error | null): void {
    if (this.alive) this.#end(this.#farewell ?? connectionLost(this.node, cause), 'lost');
  }

  #fail(error: PgError): void {
    this.#socket.destroy();
    this.#end(error, 'failed');
  }

  #end(error: PgError, end: ConnectionEnd): void {
    if (!this.alive || !this.#endRange()) return;
    this.#lostError = error;
    this.#socket.destroySoon();
    const lost = this.#queue;
    this.#queue = [];
    this.#cancellation?.headIs(this.#queue);
    this.#head = undefined;
    this.#owner.ended(this, error, end);
    for (const exchange of lost) exchange.onLost(error);
    this.#holder?.lost(error);
  }
}
