import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import type { CursorPlace } from '../cursors/cursor-walk.ts';
import type { MovedPortal } from '../cursors/shards-cursor.ts';
import { isLoss, rerunsMax } from '../run-again.ts';
import { canceled, type SessionExecutor } from '../session-executor.ts';
import { type MultiShardRun, multiShardRequest } from './multi-shard-request.ts';
import type { MultiShardCursor } from './multi-shard-select.ts';
import { openIntermediateSelect } from './open-intermediate-select.ts';
import type { RowSink } from './row-sink.ts';

/** How one fetch ended; `suspended`: the row limit was reached and the cursor is still open. */
export type FetchEnd = 'complete' | 'suspended' | 'failed';

/** Where a portal's answer goes. Errors and notices are the client's in any case. */
export type PortalAnswer = {
  /** RowDescription, once. */
  description(frame: Buffer): void;
  rows(frames: Buffer): void;
  /** All rows have come, `rows` of them in this fetch. */
  complete(rows: number): void;
};

/**
 * A SELECT over several shards on behalf of a session: rows go to the client, an error too. A
 * fetch that completes sends CommandComplete with the rows of this fetch, as one after it does, of none. When a shard's server
 * goes away before the client has seen anything, and no transaction depends on it, all is asked
 * again.
 */
export class MultiShardPortal implements MovedPortal {
  readonly #executor: SessionExecutor;
  readonly #run: MultiShardRun;
  readonly #answer: PortalAnswer;
  #cursor: MultiShardCursor;
  #rows = 0;
  #rowsMax = 0;
  /** Rows of the fetches before. */
  #rowsBefore = 0;
  /** False while MOVE reads. */
  #isShown = true;
  #seen = false;
  #rerunsLeft = rerunsMax;
  #ended: ((end: FetchEnd, rows: number) => void) | null = null;
  /** null: there may be more rows. */
  #over: 'complete' | 'failed' | null = null;

  constructor(
    executor: SessionExecutor,
    run: MultiShardRun,
    answer: PortalAnswer = asSelect(executor),
  ) {
    this.#executor = executor;
    this.#run = run;
    this.#answer = answer;
    this.#cursor = this.#open();
  }

  /** Opens the shards' portals, so that their snapshots are taken; in a transaction only. */
  start(ended: (end: FetchEnd) => void): void {
    this.#ended = ended;
    this.#cancellable();
    this.#cursor.start();
  }

  /** It must not be run any more. */
  get hasFailed(): boolean {
    return this.#over === 'failed';
  }

  get place(): CursorPlace {
    if (this.#over === 'complete') return { rows: this.#rowsBefore, at: 'after' };
    return { rows: this.#rowsBefore, at: this.#rowsBefore === 0 ? 'before' : 'on' };
  }

  /** `maxRows` 0: all rows that are left. */
  fetch(maxRows: number, ended: (end: FetchEnd, rows: number) => void): void {
    this.#isShown = true;
    this.#read(maxRows, ended);
  }

  move(count: number, done: (rows: number | null) => void): void {
    this.#isShown = false;
    this.#read(count === Infinity ? 0 : count, (end, rows) => {
      done(end === 'failed' ? null : rows);
    });
  }

  /** It was read as it cannot be. */
  fail(): void {
    this.#over = 'failed';
    this.close();
  }

  close(): void {
    this.#ended = null;
    this.#cursor.close();
  }

  #read(maxRows: number, ended: (end: FetchEnd, rows: number) => void): void {
    this.#ended = ended;
    this.#rows = 0;
    this.#rowsMax = maxRows;
    assert(this.#over !== 'failed', 'a portal that has failed is not run');
    if (this.#over === null) this.#fetch();
    else this.#complete();
  }

  #complete(): void {
    if (this.#isShown) this.#answer.complete(this.#rows);
    this.#end('complete');
  }

  #open(): MultiShardCursor {
    const { world } = this.#executor;
    const request = multiShardRequest(this.#executor, this.#run);
    const { intermediate, describedOn, shards } = this.#run.target;
    // The shards that answer may not know all names of the client's own statement.
    return intermediate.length === 0 && describedOn === shards[0]
      ? world.openMultiShardSelect(request, this.#sink())
      : openIntermediateSelect(request, this.#sink());
  }

  #fetch(): void {
    this.#cancellable();
    this.#cursor.fetch(this.#rowsMax);
  }

  #cancellable(): void {
    this.#executor.cancelWith(() => {
      this.#cursor.close();
      this.#fail(canceled());
    });
  }

  #sink(): RowSink {
    const { output } = this.#executor;
    return {
      description: (frame) => {
        this.#seen = true;
        this.#answer.description(frame);
      },
      rows: (frames, count) => {
        this.#seen = true;
        this.#rows += count;
        if (this.#isShown) this.#answer.rows(frames);
      },
      get writable() {
        return output.writable;
      },
      onDrain: (callback) => output.onDrain(callback),
      notice: (frame) => output.write(frame, 0, frame.length),
      suspended: () => this.#end('suspended'),
      complete: () => this.#complete(),
      failed: (error) => {
        if (this.#mayRunAgain(error)) {
          this.#executor.later(
            this.#rerunsLeft,
            () => this.#end('failed'),
            () => this.#runAgain(),
          );
        } else this.#fail('frame' in error ? error : explained(error));
      },
    };
  }

  #runAgain(): void {
    // Closed meanwhile.
    if (this.#ended === null) return;
    this.#rerunsLeft -= 1;
    this.#cursor = this.#open();
    this.#fetch();
  }

  #mayRunAgain(error: PgError | { readonly frame: Buffer }): boolean {
    if (this.#seen || this.#rerunsLeft === 0 || this.#ended === null || 'frame' in error)
      return false;
    return isLoss(error) && this.#executor.transaction.block === 'none';
  }

  #fail(error: PgError | { readonly frame: Buffer }): void {
    if (this.#ended === null) return;
    this.#executor.fail(error, () => this.#end('failed'));
  }

  #end(end: FetchEnd): void {
    const ended = this.#ended;
    this.#ended = null;
    if (end !== 'suspended') this.#over = end;
    this.#rowsBefore += this.#rows;
    this.#executor.cancelWith(null);
    ended?.(end, this.#rows);
  }
}

function asSelect({ output }: SessionExecutor): PortalAnswer {
  return {
    description: (frame) => output.push(frame),
    rows: (frames) => output.push(frames),
    complete: (rows) => output.push(encodeCommandComplete(`SELECT ${rows}`)),
  };
}

/** What clients already run again for; the server's address is for the log and for operators. */
function explained(error: PgError): PgError {
  if (!isLoss(error)) return error;
  return new PgError(
    SqlState.serializationFailure,
    'the connection to a shard was lost while rows were being returned',
    { detail: error.message, hint: 'Run the statement, or its transaction, again.', cause: error },
  );
}
