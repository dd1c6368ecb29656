import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { decodeErrorFields, isFatal } from '../../protocol/error-response.ts';
import { FrontendCode } from '../../protocol/message-code.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { acquireInOrder } from '../acquire-in-order.ts';
import type { ShardFailure } from '../merge/shard-stream.ts';
import { canceled, type SessionExecutor } from '../session-executor.ts';
import { endImplicitBlock } from '../transaction/transaction-commands.ts';
import { lockTables } from '../write/lock-tables.ts';
import { lostWhileWriting } from '../write/lost-while-writing.ts';
import { askDefaults } from './ask-defaults.ts';
import type { CopyCompletion } from './copy-completion.ts';
import { CopyFailures } from './copy-failures.ts';
import { copyError, withFewerFields } from './copy-messages.ts';
import type { CopyReceiver } from './copy-receiver.ts';
import { ShardInput } from './shard-input.ts';
import type { SkippedRows } from './skipped-rows.ts';

type Done = (ok: boolean) => void;

const noBytes = Buffer.alloc(0);
/** Behind all lines: a foreign key, or the head of the data. */
const atEnd = Number.MAX_SAFE_INTEGER;
/** Before all lines: without a connection or a lock nothing is read. */
const first = -1;

/** Distributes a client's data over the inputs. Throws PgError for what is wrong with them. */
export type CopyFeed = Pick<CopyReceiver, 'add'> & {
  /** The client has ended its data. Returns what must stand behind each input's own. */
  finish(): Buffer;
  /** The line of the client's data that is being read. */
  readonly line: number;
  /** null: servers get what the client has sent. */
  readonly completion: CopyCompletion | null;
  /** The client's line for one that a server speaks of. */
  clientLine(input: ShardInput, serverLine: number): number;
};

export type CopyInRequest = {
  /** A COPY is opened on each, in this order. */
  readonly shards: readonly ShardId[];
  /** As messages name it. */
  readonly table: string;
  readonly text: string;
  /** Reference tables, which must be locked on the first shard before the others are asked. */
  readonly lock: readonly string[];
  readonly skipped: SkippedRows;
  /** Every server gets the same rows: what one of them tells is enough. */
  readonly isAlike: boolean;
  feed(inputs: readonly ShardInput[]): CopyFeed;
  /** How many rows the client is told of. Throws PgError when that is unclear. */
  count(inputs: readonly ShardInput[]): number;
};

/**
 * COPY FROM STDIN into several shards, in the client's transaction or in one of our own. A mistake
 * ends it everywhere: each server still finishes what it has got, because it may find a mistake in an
 * earlier line.
 */
export class CopyIn implements CopyReceiver {
  readonly #executor: SessionExecutor;
  readonly #request: CopyInRequest;
  readonly #done: Done;
  readonly #isAlone: boolean;
  readonly #inputs: readonly ShardInput[];
  readonly #feed: CopyFeed;
  readonly #completion: CopyCompletion | null;
  /** The first shard's, which computes the values of rows that wait, and then opens its COPY. */
  #lateConnection: ServerConnection | null = null;
  #trailer: Buffer | null = null;
  readonly #failures = new CopyFailures();
  #giveUps: (() => void)[] = [];
  #isFailing = false;
  #isOver = false;

  constructor(executor: SessionExecutor, request: CopyInRequest, done: Done) {
    this.#executor = executor;
    this.#request = request;
    this.#done = done;
    this.#isAlone = executor.transaction.block === 'none';
    this.#inputs = request.shards.map((shard) => this.#newInput(shard));
    this.#feed = request.feed(this.#inputs);
    this.#completion = this.#feed.completion;
  }

  begin(): void {
    if (this.#isAlone) this.#executor.transaction.beginImplicit();
    this.#executor.runs(() => this.#cancel(), true);
    const [home, ...others] = this.#inputs;
    const acquire = acquireInOrder(this.#executor, {});
    if (this.#request.lock.length === 0) {
      for (const input of this.#inputs) this.#open(acquire, input, () => {});
    } else if (home !== undefined) {
      this.#open(acquire, home, () => {
        for (const input of others) this.#open(acquire, input, () => {});
      });
    }
  }

  get writable(): boolean {
    for (const input of this.#inputs) if (!input.writable) return false;
    return true;
  }

  onDrain(callback: () => void): void {
    const full = this.#inputs.find((input) => !input.writable);
    if (full?.connection == null) setImmediate(callback);
    else full.connection.onDrain(callback);
  }

  add(chunk: Buffer, start: number, end: number, isFirst: boolean): void {
    if (!this.#isFailing) this.#guarded(() => this.#feed.add(chunk, start, end, isFirst));
  }

  end(code: number, chunk: Buffer, start: number, end: number): void {
    if (code === FrontendCode.copyFail) {
      // Behind code and length, and with a NUL at the end.
      const reason = chunk.toString('utf8', start + 5, end - 1);
      for (const input of this.#inputs) input.fail(reason);
      return;
    }
    this.#guarded(() => {
      const trailer = this.#feed.finish();
      const waiting = this.#completion?.waiting ?? null;
      if (waiting === null) for (const input of this.#inputs) input.finish(trailer);
      else this.#openLate(waiting.rowCount, trailer);
    });
  }

  failed(): void {}

  abort(reason: string): void {
    this.#isFailing = true;
    for (const input of this.#inputs) input.fail(reason);
  }

  #newInput(shard: ShardId): ShardInput {
    return new ShardInput(shard, {
      opened: (response) => this.#opened(response),
      errored: (input, frame) => this.#errored(input, frame),
      lost: (error) => {
        this.#failures.lost(error);
        this.#stop();
      },
      notice: (input, frame) => this.#notice(input, frame),
      ended: () => this.#settle(),
    });
  }

  /** `begun`: others may be asked for. */
  #open(acquire: ReturnType<typeof acquireInOrder>, input: ShardInput, begun: () => void): void {
    const { text, lock } = this.#request;
    const giveUp = acquire(
      input.shard,
      (connection: ServerConnection) => {
        if (this.#isFailing) return;
        if (lock.length > 0) {
          lockTables(connection, lock, (failure) => {
            if (failure !== null) this.#fail(failure, first);
            else if (!this.#isFailing) begun();
          });
        }
        const completion = input === this.#inputs[0] ? this.#completion : null;
        if (completion !== null && completion.waiting !== null) this.#lateConnection = connection;
        else {
          if (completion !== null) this.#ask(connection, completion, 1);
          if (!this.#isFailing) input.open(connection, text);
        }
      },
      (error) => this.#fail(error, first),
    );
    this.#giveUps.push(giveUp);
  }

  #opened(response: Buffer): void {
    if (this.#isFailing) {
      this.#stop();
      return;
    }
    if (this.#trailer !== null) {
      this.#sendWaiting(this.#trailer);
      return;
    }
    const isLate = this.#lateConnection !== null;
    const early = isLate ? this.#inputs.slice(1) : this.#inputs;
    if (!early.every((input) => input.isOpen)) return;
    const { output, session } = this.#executor;
    output.push(withoutColumns(response, this.#completion?.defaults.columns.length ?? 0));
    output.flush();
    session.copyIn(this);
  }

  /** Ahead of what is sent on the connection next. */
  #ask(connection: ServerConnection, completion: CopyCompletion, rows: number): void {
    const { defaults, isBinary } = completion;
    const onRow = (values: readonly (Buffer | null)[]) => completion.give(values);
    askDefaults(connection, { defaults, rows, isBinary, onRow }, (failure) => {
      if (failure !== null) this.#fail(failure, first);
    });
  }

  /** All rows are here, and wait for as many values. */
  #openLate(rows: number, trailer: Buffer): void {
    const [home] = this.#inputs;
    const connection = this.#lateConnection;
    const completion = this.#completion;
    assert(home !== undefined && connection !== null && completion !== null, 'a COPY has begun');
    this.#trailer = trailer;
    this.#ask(connection, completion, rows);
    if (!this.#isFailing) home.open(connection, this.#request.text);
  }

  #sendWaiting(trailer: Buffer): void {
    while (!this.#isFailing && this.#completion?.waiting?.send() === true) {
      if (this.writable) continue;
      this.onDrain(() => this.#sendWaiting(trailer));
      return;
    }
    if (!this.#isFailing) for (const input of this.#inputs) input.finish(trailer);
  }

  #notice(input: ShardInput, frame: Buffer): void {
    const { skipped, isAlike } = this.#request;
    if (isAlike && input !== this.#inputs[0]) return;
    const told = skipped.notice(frame, (line) => this.#feed.clientLine(input, line));
    if (told !== null) this.#executor.output.push(told);
  }

  #errored(input: ShardInput, frame: Buffer): void {
    // The connection ends now, and is lost.
    if (isFatal(decodeErrorFields(frame, 0, frame.length))) return;
    const { table } = this.#request;
    const own = withFewerFields(frame, this.#completion?.defaults.columns.length ?? 0);
    const error = copyError(own, table, (line) => this.#feed.clientLine(input, line));
    this.#failures.add({ frame: error.frame }, error.line ?? atEnd);
    this.#stop();
  }

  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      // What a server finds in the same line comes first.
      this.#fail(error, this.#feed.line + 0.5);
    }
  }

  #fail(error: ShardFailure, line: number): void {
    this.#failures.add(error, line);
    this.#stop();
  }

  /** No more data; who has some finishes them. */
  #stop(): void {
    if (!this.#isFailing) {
      this.#isFailing = true;
      this.#executor.session.errorPassed();
      for (const giveUp of this.#giveUps) giveUp();
    }
    for (const input of this.#inputs) input.finish(noBytes);
    this.#settle();
  }

  #cancel(): void {
    this.#fail(canceled(), Infinity);
    for (const input of this.#inputs) input.cancel();
    this.#settle();
  }

  #settle(): void {
    if (this.#isOver || !this.#inputs.every((input) => input.hasEnded)) return;
    this.#isOver = true;
    const { table, skipped, count } = this.#request;
    const excess = skipped.excess(table);
    if (excess !== null) this.#failures.add(excess.error, excess.line);
    let rows = 0;
    try {
      if (this.#failures.worst === null) rows = count(this.#inputs);
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      this.#failures.add(error, Infinity);
    }
    const { worst } = this.#failures;
    if (worst !== null) this.#undo(worst);
    else this.#complete(rows);
  }

  #undo(failure: ShardFailure): void {
    this.#executor.fail(lostWhileWriting(failure), (ok) => {
      // The client may have gone, and its block with it.
      const isOurs = this.#isAlone && this.#executor.transaction.block !== 'none';
      if (isOurs) endImplicitBlock(this.#executor, () => this.#done(false));
      else this.#done(ok);
    });
  }

  #complete(rows: number): void {
    const summary = this.#request.skipped.summary();
    if (summary !== null) this.#executor.output.push(summary);
    const tag = encodeCommandComplete(`COPY ${rows}`);
    if (!this.#isAlone) {
      this.#executor.succeed(tag, this.#done);
      return;
    }
    endImplicitBlock(this.#executor, (ok) => {
      if (ok) this.#executor.succeed(tag, this.#done);
      else this.#done(false);
    });
  }
}

/** The server's CopyInResponse (manual, 55.7), for the columns that the client has: the last ones. */
function withoutColumns(response: Buffer, count: number): Buffer {
  if (count === 0) return response;
  const left = response.readInt16BE(6) - count;
  const changed = Buffer.concat([response.subarray(0, 8), response.subarray(8 + 2 * count)]);
  changed.writeInt32BE(changed.length - 1, 1);
  changed.writeInt16BE(left, 6);
  return changed;
}
