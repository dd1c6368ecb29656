import type { Exchange, TransactionStatus } from '../backend/exchange.ts';
import type { ServerConnection } from '../backend/server-connection.ts';
import type { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { decodeErrorFields, type ErrorFields, isFatal } from '../protocol/error-response.ts';
import type { ClientOutput } from './client-output.ts';
import { isInterruptedWait } from './commit/interrupted-wait.ts';
import type { ReplyScript } from './reply-script.ts';

const errorResponse = 0x45; // E
const noticeResponse = 0x4e; // N
const rowDescription = 0x54; // T
const copyInResponse = 0x47; // G
const copyBothResponse = 0x57; // W

export type RelayOutcome = {
  readonly status: TransactionStatus;
  /** The server answered with an ErrorResponse, which has been passed on. */
  readonly errored: boolean;
  /**
   * The server did not accept a statement that it keeps for unnamed ones, and the client has been
   * told nothing.
   */
  readonly keptFailed: boolean;
  /** The connection ended before the answer did; nothing has been said to the client about it. */
  readonly lost: PgError | null;
  /** Something has been passed on: the statement must not be run again. */
  readonly forwarded: boolean;
  /** What came after the news that the commit has not waited for its standby; null: none came. */
  readonly withheld: readonly Buffer[] | null;
};

export type RelayOptions = {
  readonly output: ClientOutput;
  /** null for the simple protocol: everything is passed on. */
  readonly script: ReplyScript | null;
  /** Others' statements stand behind this one: the server is not paused for a slow client. */
  readonly shared: boolean;
  /** The answer's end is the end of a transaction. */
  readonly commits: boolean;
  /** The server waits for COPY data. */
  onCopyIn(): void;
  /** An ErrorResponse is being passed on. */
  onError(): void;
  /** What to pass on in its place; null: itself. */
  insteadOf?(error: ErrorFields): Buffer | null;
  done(outcome: RelayOutcome): void;
};

/**
 * Passes the answer of one server on to the client as ranges of frames, without looking into rows.
 * ReadyForQuery is left to the session, which knows what the client is still owed.
 */
export class Relay implements Exchange {
  readonly readyCount = 1;
  readonly #connection: ServerConnection;
  readonly #options: RelayOptions;
  #chunk: Buffer | null = null;
  #start = 0;
  #end = 0;
  #errored = false;
  #keptFailed = false;
  #forwarded = false;
  #bytes = 0;
  #withheld: Buffer[] | null = null;

  constructor(connection: ServerConnection, options: RelayOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Passed on so far. */
  get bytes(): number {
    return this.#bytes;
  }

  onFrame(code: number, chunk: Buffer, start: number, end: number): void {
    if (code === noticeResponse && this.#notesInterruption(chunk, start, end)) return;
    const script = this.#options.script;
    const error = code === errorResponse ? decodeErrorFields(chunk, start, end) : null;
    // The connection ends now: what that means for the client is not the server's to say.
    if (this.#keptFailed || (error !== null && isFatal(error))) return;
    if (error !== null && this.#isOfKept(error)) {
      this.#keptFailed = true;
      this.#chunk = null;
      this.#noteUnanswered(error);
      return;
    }
    // Not earlier: as long as the server is silent the statement may still be run elsewhere.
    if (script !== null) this.#pushLocals();
    if (code === rowDescription) script?.onDescription(chunk, start, end);
    if (error !== null) this.#noteError(error);
    else if (script !== null && !script.accept(code)) return;
    if (this.#withheld !== null) {
      this.#withheld.push(Buffer.from(chunk.subarray(start, end)));
      return;
    }
    const instead = error === null ? null : (this.#options.insteadOf?.(error) ?? null);
    if (instead === null) this.#addRange(chunk, start, end);
    else this.#pushInstead(instead);
    if (script !== null) this.#pushLocals();
    if (code === copyInResponse || code === copyBothResponse) {
      this.#writeRange();
      this.#options.output.flush();
      this.#options.onCopyIn();
    }
  }

  /** A row or COPY data too long to be held whole; never something that ends an answer. */
  onFramePart(_code: number, chunk: Buffer, start: number, end: number): void {
    if (this.#options.script !== null) this.#pushLocals();
    this.#addRange(chunk, start, end);
  }

  onChunkEnd(): void {
    this.#writeRange();
    const { output, shared } = this.#options;
    if (shared || output.writable) return;
    this.#connection.pause();
    output.onDrain(() => this.#connection.resume());
  }

  onReady(status: TransactionStatus, remaining: number): void {
    if (remaining > 0) return;
    // A flight that needed nothing of the server still has its answers.
    if (!this.#keptFailed) this.#pushLocals();
    this.#writeRange();
    this.#options.done({
      status,
      errored: this.#errored,
      keptFailed: this.#keptFailed,
      lost: null,
      forwarded: this.#forwarded,
      withheld: this.#withheld,
    });
  }

  onLost(error: PgError): void {
    this.#writeRange();
    this.#options.done({
      status: 'failed',
      errored: this.#errored,
      keptFailed: this.#keptFailed,
      lost: error,
      forwarded: this.#forwarded,
      withheld: this.#withheld,
    });
  }

  /** What comes from now on, the tag above all, is not to be believed before somebody has looked. */
  #notesInterruption(chunk: Buffer, start: number, end: number): boolean {
    if (!this.#options.commits || !isInterruptedWait(noticeResponse, chunk, start, end)) {
      return false;
    }
    this.#writeRange();
    this.#withheld ??= [];
    return true;
  }

  #noteError(error: ErrorFields): void {
    this.#errored = true;
    this.#options.onError();
    this.#noteUnanswered(error);
  }

  /** Whatever the reason is: without the kept name the client gets PostgreSQL's own words. */
  #isOfKept(error: ErrorFields): boolean {
    if (this.#options.script?.isKeptAtStake !== true || this.#forwarded) return false;
    return error.get('C') !== SqlState.queryCanceled;
  }

  #noteUnanswered(error: ErrorFields): void {
    const unanswered = this.#options.script?.unanswered();
    for (const name of unanswered?.prepared ?? []) this.#connection.forgetPrepared(name);
    // A statement stayed behind that nobody knows any more, or one that a changed table has made
    // useless for ever ("cached plan must not change result type").
    const isStale = error.get('R') === 'RevalidateCachedQuery';
    if (unanswered?.closing === true || isStale) this.#connection.taint();
  }

  #addRange(chunk: Buffer, start: number, end: number): void {
    if (this.#chunk === chunk && this.#end === start) {
      this.#end = end;
      return;
    }
    this.#writeRange();
    this.#chunk = chunk;
    this.#start = start;
    this.#end = end;
  }

  #pushInstead(frame: Buffer): void {
    this.#writeRange();
    this.#options.output.push(frame);
    this.#forwarded = true;
  }

  #writeRange(): void {
    if (this.#chunk === null) return;
    this.#options.output.write(this.#chunk, this.#start, this.#end);
    this.#bytes += this.#end - this.#start;
    this.#chunk = null;
    this.#forwarded = true;
  }

  #pushLocals(): void {
    const script = this.#options.script;
    if (script === null) return;
    for (let frame = script.takeLocal(); frame !== null; frame = script.takeLocal()) {
      this.#writeRange();
      this.#options.output.push(frame);
      this.#forwarded = true;
    }
  }
}
