import type { Exchange, TransactionStatus } from '../../backend/exchange.ts';
import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { encodeClose } from '../../protocol/close-message.ts';
import { decodeCommandComplete, rowCountOfTag } from '../../protocol/command-complete.ts';
import { syncMessage } from '../../protocol/constant-messages.ts';
import { decodeErrorFields, isFatal } from '../../protocol/error-response.ts';
import { encodeExecute } from '../../protocol/execute-message.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { decodeRowDescription, type FieldDescription } from '../../protocol/row-description.ts';
import { Row } from './row.ts';
import { RowBuffer } from './row-buffer.ts';
import type { Advance, RowSource } from './row-source.ts';
import { firstPieceRows, type ShardQueryMessages } from './shard-query-messages.ts';

/** Unread bytes of one shard from which on its server is paused, and below which it goes on. */
const highWaterBytes = 256 * 1024;
const lowWaterBytes = 64 * 1024;

export type ShardFailure = PgError | { readonly frame: Buffer };

export type ShardStreamEvents = {
  /** `fields` is known, no row has been read yet. */
  described(): void;
  /**
   * Rows to compute ahead in a transaction, at least 1: each of them could be the one that fails,
   * and the client may never ask for it.
   */
  rowsWanted(): number;
  /** advance() may know more than before. */
  progressed(): void;
  /** The shard's error or the loss of its connection; `ended` follows. Not after a cancel of ours. */
  failed(error: ShardFailure): void;
  /** The connection has been given back. */
  ended(): void;
  /** Valid in the call. */
  notice(frame: Buffer): void;
};

/**
 * `waiting` has no connection yet. `running`: an exchange is on its way. `suspended`: the portal has
 * more rows and nothing is on its way. `closing`: the portal is being closed.
 */
type State = 'waiting' | 'running' | 'suspended' | 'closing' | 'ended';

const transitions: { readonly [From in State]: readonly State[] } = {
  waiting: ['running', 'ended'],
  running: ['suspended', 'closing', 'ended'],
  suspended: ['running', 'closing', 'ended'],
  closing: ['ended'],
  ended: [],
};

/** Rows of a piece at most; fewer when rows are large. */
const pieceRowsMax = 1024;

/**
 * The rows of one shard's query, buffered between a low and a high water mark. A named portal is
 * read in small pieces, between which the connection is free for the client's other statements of
 * the same transaction; else everything comes in one flight and the server is paused while the
 * buffer is full.
 */
export class ShardStream implements RowSource, Exchange {
  readonly readyCount = 1;
  readonly #events: ShardStreamEvents;
  readonly #buffer = new RowBuffer();
  #state: State = 'waiting';
  #connection: ServerConnection | null = null;
  /** As in ShardQueryMessages, of which nothing else is kept: they can be long. */
  #portal: string | null = null;
  #isWrite = false;
  #release: () => void = () => {};
  #fields: readonly FieldDescription[] | null = null;
  #row = new Row(0);
  #isPaused = false;
  #isDiscarding = false;
  /** How the last piece ended. */
  #piece: 'unfinished' | 'suspended' | 'complete' = 'unfinished';
  #pieceRows = 0;
  #pieceBytes = 0;
  #earlierRows = 0;
  #earlierBytes = 0;
  #isCancelled = false;
  #commandRows = 0;
  #hasFailed = false;

  constructor(events: ShardStreamEvents) {
    this.#events = events;
  }

  get row(): Row {
    return this.#row;
  }

  get isWaiting(): boolean {
    return this.#state === 'waiting';
  }

  get hasEnded(): boolean {
    return this.#state === 'ended';
  }

  /** What came so far and was not thrown away. */
  get received(): { readonly rows: number; readonly bytes: number } {
    return {
      rows: this.#earlierRows + this.#pieceRows,
      bytes: this.#earlierBytes + this.#pieceBytes,
    };
  }

  /** Of a write that has ended: the rows that it has written. */
  get commandRows(): number {
    return this.#commandRows;
  }

  /** null until `described`. */
  get fields(): readonly FieldDescription[] | null {
    return this.#fields;
  }

  /** Sends the query. `release` is called once, when the connection is free or lost. */
  open(connection: ServerConnection, release: () => void, messages: ShardQueryMessages): void {
    this.#connection = connection;
    this.#release = release;
    this.#portal = messages.portal;
    this.#isWrite = messages.mayLackRows === true;
    if (messages.firstRows === null) this.#piece = 'suspended';
    this.#enter('running');
    connection.send(this, messages.first);
  }

  advance(): Advance {
    if (this.#buffer.shift(this.#row)) {
      if (this.#isPaused && this.#buffer.bytes <= lowWaterBytes) this.#resume();
      return 'row';
    }
    if (this.#state === 'suspended') this.#fetchMore();
    const isOver = this.#state === 'ended' || this.#state === 'closing';
    return isOver ? 'end' : 'pending';
  }

  /**
   * Reads no more rows: what still comes is thrown away, and a connection that has not come yet is
   * not used. `cancel` stops the server's work, too; a drained shard may still fail and says so.
   */
  discard(how: 'cancel' | 'drain'): void {
    this.#buffer.clear();
    if (this.#state === 'ended') return;
    if (this.#state === 'waiting') {
      this.#enter('ended');
      return;
    }
    this.#isDiscarding = true;
    if (this.#isPaused) this.#resume();
    if (this.#state === 'suspended') this.#closePortal();
    else if (this.#state === 'running' && how === 'cancel' && !this.#isCancelled) {
      this.#isCancelled = true;
      this.#connection?.cancel(this);
    }
  }

  onFrame(code: number, chunk: Buffer, start: number, end: number): void {
    switch (code) {
      case BackendCode.dataRow:
        if (this.#isDiscarding) return;
        this.#buffer.add(chunk, start, end);
        this.#pieceRows++;
        this.#pieceBytes += end - start;
        return;
      case BackendCode.rowDescription:
        this.#describe(chunk, start, end);
        return;
      case BackendCode.portalSuspended:
        this.#piece = 'suspended';
        return;
      case BackendCode.commandComplete:
        this.#piece = 'complete';
        this.#complete(chunk, start, end);
        return;
      case BackendCode.noData:
        if (this.#isWrite) {
          this.#fields = [];
          this.#events.described();
          return;
        }
        this.#fail(
          new PgError(SqlState.protocolViolation, 'a shard answered a query without rows'),
        );
        return;
      case BackendCode.errorResponse:
        this.#failByServer(chunk, start, end);
        return;
      case BackendCode.noticeResponse:
        if (!this.#isDiscarding) this.#events.notice(chunk.subarray(start, end));
        return;
      default:
        // ParseComplete, BindComplete, CloseComplete, ParameterStatus say nothing new.
        return;
    }
  }

  onChunkEnd(): void {
    this.#buffer.settle();
    const isFull = this.#buffer.bytes >= highWaterBytes && this.#portal === null;
    if (isFull && !this.#isPaused && this.#state === 'running') {
      this.#isPaused = true;
      this.#connection?.pause();
    }
    this.#events.progressed();
  }

  onReady(status: TransactionStatus, remaining: number): void {
    if (remaining > 0) return;
    this.#buffer.settle();
    const isPortalOpen = this.#portal !== null && this.#piece !== 'unfinished';
    if (this.#state === 'running' && isPortalOpen && !this.#hasFailed) {
      assert(status === 'in-transaction', 'a portal is read in pieces inside a transaction only');
      if (this.#piece === 'complete' || this.#isDiscarding) this.#closePortal();
      else this.#enter('suspended');
      this.#events.progressed();
      return;
    }
    this.#end();
  }

  onLost(error: PgError): void {
    this.#isPaused = false;
    this.#fail(error);
    this.#end();
  }

  #complete(chunk: Buffer, start: number, end: number): void {
    if (!this.#isWrite) return;
    try {
      this.#commandRows = rowCountOfTag(decodeCommandComplete(chunk, start, end));
    } catch (error) {
      assert(error instanceof PgError, 'decoders throw nothing but PgError');
      this.#fail(error);
    }
  }

  #describe(chunk: Buffer, start: number, end: number): void {
    try {
      this.#fields = decodeRowDescription(chunk, start, end);
    } catch (error) {
      assert(error instanceof PgError, 'decoders throw nothing but PgError');
      this.#fail(error);
      return;
    }
    this.#row = new Row(this.#fields.length);
    this.#events.described();
  }

  #failByServer(chunk: Buffer, start: number, end: number): void {
    // The connection ends now, and says so: perhaps the statement can be run again.
    if (isFatal(decodeErrorFields(chunk, start, end))) return;
    this.#fail({ frame: Buffer.from(chunk.subarray(start, end)) });
  }

  #fail(error: ShardFailure): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    // 57014, or an error that the cancel came too late for: nobody asks any more.
    if (this.#isCancelled) return;
    this.#buffer.clear();
    this.#events.failed(error);
  }

  #fetchMore(): void {
    const portal = this.#portal ?? '';
    const rowBytes = Math.max(1, this.#pieceBytes / Math.max(1, this.#pieceRows));
    const fitting = Math.min(pieceRowsMax, Math.max(1, Math.floor(lowWaterBytes / rowBytes)));
    const rowsMax = Math.min(
      this.#pieceRows === 0 ? firstPieceRows : fitting,
      this.#events.rowsWanted(),
    );
    this.#piece = 'unfinished';
    this.#earlierRows += this.#pieceRows;
    this.#earlierBytes += this.#pieceBytes;
    this.#pieceRows = 0;
    this.#pieceBytes = 0;
    this.#enter('running');
    this.#connection?.send(this, [encodeExecute({ portal, rowsMax }), syncMessage]);
  }

  #closePortal(): void {
    const name = this.#portal ?? '';
    this.#enter('closing');
    this.#connection?.send(this, [encodeClose({ kind: 'portal', name }), syncMessage]);
  }

  #resume(): void {
    this.#isPaused = false;
    this.#connection?.resume();
  }

  #end(): void {
    this.#enter('ended');
    if (this.#isPaused) this.#resume();
    this.#release();
    this.#events.ended();
  }

  #enter(state: State): void {
    assert(transitions[this.#state].includes(state), `shard stream: ${this.#state} to ${state}`);
    this.#state = state;
  }
}
