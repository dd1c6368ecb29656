import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { RouteNode } from '../../planner/plan.ts';
import { noData } from '../../protocol/constant-messages.ts';
import { decodeTextRow } from '../../protocol/data-row.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { acquireInOrder } from '../acquire-in-order.ts';
import { CollectedRows } from '../intermediate/collected-rows.ts';
import { formatsToRead, valueReaders } from '../intermediate/exact-values.ts';
import { GatherBudget } from '../intermediate/gather-budget.ts';
import { Gathering } from '../intermediate/gathering.ts';
import type { TextSource } from '../intermediate/query-text.ts';
import type { GatheredResult, ResultColumn } from '../intermediate/result-column.ts';
import { StyleCheck, textStyles } from '../intermediate/text-styles.ts';
import type { ShardFailure } from '../merge/shard-stream.ts';
import { demandFloatDigits } from '../select/first-shard-questions.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { gatherRequest } from './gather-request.ts';
import { lockTables } from './lock-tables.ts';
import { type ReturnedRows, type ShardWrite, ShardWrites } from './shard-writes.ts';
import type { WriteRun } from './write-run.ts';

/** What a step is done with. */
export type Known = {
  readonly results: readonly (GatheredResult | null)[];
  /** As far as they are known. */
  readonly parameterOids: readonly number[];
};

/** The texts of one step. */
export type PlannedWrites = {
  readonly writes: readonly ShardWrite[];
  readonly returned: ReturnedRows;
  readonly inTurn: boolean;
  /** Of the last row, if it was computed. */
  readonly lastKey?: string | null;
};

/** One write, whose rows are all wanted. */
export function oneWrite(write: ShardWrite): PlannedWrites {
  return { writes: [write], returned: { kind: 'all' }, inTurn: true };
}

/** What a write over several shards is made of: done, or done and explained. */
export type Steps = Pick<
  WriteSteps,
  | 'executor'
  | 'isWriting'
  | 'stop'
  | 'source'
  | 'alike'
  | 'write'
  | 'writeQuietly'
  | 'writeImage'
  | 'learnImage'
  | 'lock'
>;

/** The steps that writes over several shards are made of; one runs at a time. */
export class WriteSteps {
  readonly executor: SessionExecutor;
  readonly #run: WriteRun;
  readonly #failed: (error: ShardFailure) => void;
  readonly #budget: GatherBudget;
  #writes: ShardWrites | null = null;

  constructor(executor: SessionExecutor, run: WriteRun, failed: (error: ShardFailure) => void) {
    this.executor = executor;
    this.#run = run;
    this.#failed = failed;
    this.#budget = new GatherBudget(executor.world.limits.gatherBytesMax);
  }

  get isWriting(): boolean {
    return this.#writes !== null;
  }

  /** Shards that write are at rest when the failure is heard of. */
  stop(error: ShardFailure): void {
    if (this.#writes === null) this.#failed(error);
    else this.#writes.fail(error);
  }

  source({ results }: Known): TextSource {
    const run = this.#run;
    return {
      statementText: run.statementText,
      literalText: (slot) => run.literalText(slot),
      results,
    };
  }

  /** The same on each of the shards. */
  alike(shards: readonly ShardId[], route: RouteNode, known: Known): readonly ShardWrite[] {
    const { formats, values } = this.#run.values;
    const parameters = { typeOids: known.parameterOids, formats, values };
    const source = this.source(known);
    return shards.map((shard) => ({ shard, route, source, parameters }));
  }

  /** The client gets what RETURNING gives; `done` hears how many rows were written. */
  write(
    writes: readonly ShardWrite[],
    returned: ReturnedRows,
    done: (count: number) => void,
    how: { readonly inTurn?: boolean; readonly lock?: readonly string[] } = {},
  ): void {
    const { inTurn = false, lock = [] } = how;
    const { output } = this.executor;
    const { resultFormats, wantsDescription, describesPortal, returning, target } = this.#run;
    if (describesPortal && !target.returnsRows) output.push(noData);
    const prepare = lock.length === 0 ? null : locking(lock);
    this.#begin({ writes, returned, inTurn, resultFormats, wantsDescription }, prepare, {
      description: (frame) => output.push(frame),
      rows: (frames) => (returning === null ? output.push(frames) : returning.add(frames)),
      get writable() {
        return returning !== null || output.writable;
      },
      onDrain: (callback) => output.onDrain(callback),
      complete: (counts) => done(returned.kind === 'first' ? this.#agreed(counts) : sum(counts)),
    });
  }

  /** Nobody sees what it returns. */
  writeQuietly(writes: readonly ShardWrite[], done: () => void): void {
    this.#begin(
      {
        writes,
        returned: { kind: 'all' },
        inTurn: true,
        resultFormats: [],
        wantsDescription: false,
      },
      null,
      {
        ...ignored,
        complete: () => done(),
      },
    );
  }

  /** What one shard answers, a line for each row of one column. */
  readLines(
    write: ShardWrite,
    lock: readonly string[],
    done: (lines: readonly string[]) => void,
  ): void {
    const lines: string[] = [];
    const plan = { ...oneWrite(write), resultFormats: [], wantsDescription: false };
    this.#begin(plan, lock.length === 0 ? null : locking(lock), {
      ...ignored,
      rows: (frames) => {
        for (let start = 0; start < frames.length; ) {
          const end = start + 1 + frames.readUInt32BE(start + 1);
          lines.push(decodeTextRow(frames, start, end)[0] ?? '');
          start = end;
        }
      },
      complete: () => done(lines),
    });
  }

  /** Keeps what RETURNING gives as a result with these columns. */
  writeImage(
    { writes, returned, inTurn }: PlannedWrites,
    names: readonly string[],
    columns: readonly ResultColumn[],
    done: (image: GatheredResult) => void,
  ): void {
    const rows = new CollectedRows(names, valueReaders(columns), this.#budget);
    this.#begin(
      { writes, returned, inTurn, resultFormats: formatsToRead(columns), wantsDescription: false },
      exactly(columns),
      {
        ...ignored,
        rows: (frames, count) => rows.add(frames, count),
        complete: () => done({ columns, arrays: rows.finish() }),
      },
    );
  }

  /**
   * The columns of an intermediate result, which `reader` reads, and the types of all of the
   * client's parameters: not every text of the write has them all.
   */
  learnImage(
    { reader, number }: { readonly reader: RouteNode; readonly number: number },
    done: (columns: readonly ResultColumn[], parameterOids: readonly number[]) => void,
  ): void {
    const request = gatherRequest(this.executor, this.#run, reader);
    const gathering = new Gathering(request, {
      gathered() {},
      failed: (error) => this.#failed(error),
      notice: (frame) => this.executor.output.write(frame, 0, frame.length),
    });
    gathering.learn((statement) => {
      const columns = statement.results.get(number);
      assert(columns !== undefined, 'the reader reads the image');
      this.#guarded(() => done(columns, statement.parameterOids));
    });
  }

  /** Waits for the reference tables on one shard. */
  lock(shard: ShardId, tables: readonly string[], done: () => void): void {
    const acquire = acquireInOrder(this.executor, { write: true });
    acquire(
      shard,
      (connection, release) => {
        lockTables(connection, tables, (failure) => {
          release();
          if (failure === null) done();
          else this.#failed(failure);
        });
      },
      (error) => this.#failed(error),
    );
  }

  #begin(
    request: Omit<ConstructorParameters<typeof ShardWrites>[0], 'acquire' | 'prepare'>,
    prepare: Prepare | null,
    sink: Omit<ConstructorParameters<typeof ShardWrites>[1], 'failed' | 'notice'>,
  ): void {
    const { output } = this.executor;
    const writes = new ShardWrites(
      {
        ...request,
        acquire: acquireInOrder(this.executor, { write: true }),
        ...(prepare === null ? {} : { prepare }),
      },
      {
        description: (frame) => sink.description(frame),
        rows: (frames, count) => sink.rows(frames, count),
        get writable() {
          return sink.writable;
        },
        onDrain: (callback) => sink.onDrain(callback),
        notice: (frame) => output.write(frame, 0, frame.length),
        complete: (counts) => {
          this.#writes = null;
          this.#guarded(() => sink.complete(counts));
        },
        failed: (error) => {
          this.#writes = null;
          this.#failed(error);
        },
      },
    );
    this.#writes = writes;
    writes.begin();
  }

  /** What follows a step may find that a row has no owner, or that copies differ. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      this.#failed(error);
    }
  }

  #agreed(counts: readonly number[]): number {
    const [first = 0, ...others] = counts;
    if (others.every((count) => count === first)) return first;
    throw new PgError(
      SqlState.dataCorrupted,
      `the copies of a reference table differ: ${counts.join(', ')} rows`,
      {
        hint: 'Compare the table on the shards; nothing has been written.',
      },
    );
  }
}

type Prepare = (connection: ServerConnection, failed: (error: ShardFailure) => void) => void;

function locking(tables: readonly string[]): Prepare {
  return (connection, failed) => {
    lockTables(connection, tables, (failure) => {
      if (failure !== null) failed(failure);
    });
  };
}

/** What travels as text must be read back the same. */
function exactly(columns: readonly ResultColumn[]): Prepare {
  const styles = textStyles(columns);
  const check = new StyleCheck(styles);
  return (connection, failed) => {
    const error = check.errorOf(connection.parameters);
    if (error !== null) throw error;
    if (styles.floats) demandFloatDigits(connection, failed);
  };
}

const ignored = { description() {}, rows() {}, writable: true, onDrain() {} };

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
