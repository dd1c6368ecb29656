import type { ServerConnection } from '../backend/server-connection.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { encodeCommandComplete } from '../protocol/command-complete.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { MultiShardCursor, MultiShardSelect } from './multi-shard-select.ts';
import type { RowSink } from './row-sink.ts';
import { rerunsMax } from './run-again.ts';
import { canceled, type SessionExecutor } from './session-executor.ts';
import type { Target } from './target.ts';

export type MultiShardRun = Omit<
  MultiShardSelect,
  'root' | 'shards' | 'description' | 'inTransaction' | 'mergeBytesMax' | 'acquire'
> & { readonly target: Extract<Target, { readonly kind: 'multi-shard' }> };

/** How one fetch ended; `suspended`: the row limit was reached and the cursor is still open. */
export type FetchEnd = 'complete' | 'suspended' | 'failed';

/**
 * A SELECT over several shards on behalf of a session: rows go to the client, an error too. A
 * fetch that completes sends CommandComplete with the rows of this fetch. When a shard's server
 * goes away before the client has seen anything, and no transaction depends on it, all is asked
 * again.
 */
export class MultiShardPortal {
  readonly #executor: SessionExecutor;
  readonly #run: MultiShardRun;
  #cursor: MultiShardCursor;
  #rows = 0;
  #rowsMax = 0;
  #seen = false;
  #rerunsLeft = rerunsMax;
  #ended: ((end: FetchEnd) => void) | null = null;

  constructor(executor: SessionExecutor, run: MultiShardRun) {
    this.#executor = executor;
    this.#run = run;
    this.#cursor = this.#open();
  }

  fetch(maxRows: number, ended: (end: FetchEnd) => void): void {
    this.#ended = ended;
    this.#rows = 0;
    this.#rowsMax = maxRows;
    this.#fetch();
  }

  close(): void {
    this.#ended = null;
    this.#cursor.close();
  }

  #open(): MultiShardCursor {
    const { world, transaction } = this.#executor;
    const request: MultiShardSelect = {
      ...this.#run,
      root: this.#run.target.root,
      shards: this.#run.target.shards,
      inTransaction: transaction.block !== 'none',
      mergeBytesMax: world.limits.mergeBytesMax,
      acquire: inOrder(this.#executor),
    };
    return world.openMultiShardSelect(request, this.#sink());
  }

  #fetch(): void {
    this.#executor.cancelWith(() => {
      this.#cursor.close();
      this.#fail(canceled());
    });
    this.#cursor.fetch(this.#rowsMax);
  }

  #sink(): RowSink {
    const { output } = this.#executor;
    return {
      description: (frame) => {
        this.#seen = true;
        output.push(frame);
      },
      rows: (frames, count) => {
        this.#seen = true;
        this.#rows += count;
        output.push(frames);
      },
      get writable() {
        return output.writable;
      },
      onDrain: (callback) => output.onDrain(callback),
      notice: (frame) => output.write(frame, 0, frame.length),
      suspended: () => this.#end('suspended'),
      complete: () => {
        output.push(encodeCommandComplete(`SELECT ${this.#rows}`));
        this.#end('complete');
      },
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
    this.#executor.cancelWith(null);
    ended?.(end);
  }
}

/** Ours, or the server's last words: 57P01 when it shuts down, 57P02 when another session crashed. */
function isLoss({ sqlState }: PgError): boolean {
  return /^(?:08006|57P0[12])$/.test(sqlState);
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

/**
 * Acquires the shards' connections one after the other, in the order of asking: statements that
 * need several cannot wait for each other in a circle. Free connections are handed out at once.
 */
function inOrder(executor: SessionExecutor): MultiShardSelect['acquire'] {
  type Waiting = {
    readonly shard: ShardId;
    readonly onConnection: (connection: ServerConnection, release: () => void) => void;
    readonly onRefused: (error: PgError) => void;
    givenUp: boolean;
    giveUp: () => void;
  };
  const queue: Waiting[] = [];
  let current: Waiting | null = null;
  const next = () => {
    if (current !== null) return;
    const head = queue.shift();
    if (head === undefined) return;
    if (head.givenUp) return next();
    current = head;
    head.giveUp = executor.transaction.acquire({
      shard: head.shard,
      write: false,
      share: false,
      onConnection(connection, release) {
        current = null;
        head.onConnection(connection, release);
        next();
      },
      onRefused(error) {
        current = null;
        head.onRefused(error);
        next();
      },
    });
  };
  return (shard, onConnection, onRefused) => {
    const waiting: Waiting = { shard, onConnection, onRefused, givenUp: false, giveUp() {} };
    queue.push(waiting);
    next();
    return () => {
      waiting.givenUp = true;
      waiting.giveUp();
      if (current !== waiting) return;
      current = null;
      next();
    };
  };
}
