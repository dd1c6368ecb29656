import { assert } from '../base/assert.ts';
import {
  decodeRowDescription,
  encodeRowDescription,
  type FieldDescription,
} from '../protocol/row-description.ts';
import type { CursorPlace } from './cursor-walk.ts';
import { KeptRows } from './kept-rows.ts';
import { formatOf } from './merge/shard-query-messages.ts';
import type { MultiShardRun } from './multi-shard-request.ts';
import { MultiShardPortal } from './run-multi-shard.ts';
import type { SessionExecutor } from './session-executor.ts';
import type { ShardsCursor } from './shards-cursor.ts';

/**
 * A cursor of DECLARE over several shards. Its shards' portals are open from the start, so that they
 * see what was there then; they run when rows are fetched, forward only. A SCROLL cursor keeps the
 * rows that it has read.
 */
export class MultiShardSqlCursor implements ShardsCursor {
  readonly format: 0 | 1;
  readonly #portal: MultiShardPortal;
  readonly #executor: SessionExecutor;
  /** null: it does not scroll. */
  readonly #kept: KeptRows | null;
  #columns: readonly FieldDescription[] = [];
  #place: CursorPlace = { rows: 0, at: 'before' };
  #hasFailed = false;
  #isShown = false;
  /** All rows have been read once. */
  #isComplete = false;

  constructor(
    executor: SessionExecutor,
    run: Omit<MultiShardRun, 'wantsDescription' | 'resultFormats'>,
    declared: { readonly binary: boolean; readonly scroll: string },
  ) {
    this.format = declared.binary ? 1 : 0;
    this.#executor = executor;
    const { gatherBytesMax } = executor.world.limits;
    this.#kept = declared.scroll === 'scroll' ? new KeptRows(gatherBytesMax) : null;
    const asked = { resultFormats: [this.format], wantsDescription: true };
    this.#portal = new MultiShardPortal(
      executor,
      { ...run, ...asked },
      {
        description: (frame) => {
          this.#columns = decodeRowDescription(frame, 0, frame.length);
        },
        rows: (frames) => {
          this.#kept?.add(frames);
          if (this.#isShown) executor.output.push(frames);
        },
        complete() {},
      },
    );
  }

  get scrolls(): boolean {
    return this.#kept !== null;
  }

  get place(): CursorPlace {
    return this.#place;
  }

  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  gives(resultFormats: readonly number[]): boolean {
    return this.#columns.every((_, column) => formatOf(resultFormats, column) === this.format);
  }

  description(...resultFormats: readonly number[]): Buffer {
    return encodeRowDescription(
      this.#columns.map((column, index) => ({ ...column, format: formatOf(resultFormats, index) })),
    );
  }

  /** `done(false)`: the client has been told why not. */
  open(done: (ok: boolean) => void): void {
    this.#portal.start((end) => done(end !== 'failed'));
  }

  advance(count: number, isShown: boolean, done: (rows: number | null) => void): void {
    if (count === 0 || this.#place.at === 'after') {
      done(0);
      return;
    }
    const again = this.#readAgain(count, isShown);
    if (again === count) {
      done(again);
      return;
    }
    if (this.#isComplete) {
      this.#place = { rows: this.#place.rows, at: 'after' };
      done(again);
      return;
    }
    this.#isShown = isShown;
    this.#portal.fetch(count === Infinity ? 0 : count - again, (end, rows) => {
      if (end === 'failed') {
        this.#hasFailed = true;
        done(null);
        return;
      }
      this.#isComplete = end === 'complete';
      this.#place = { rows: this.#place.rows + rows, at: this.#isComplete ? 'after' : 'on' };
      done(again + rows);
    });
  }

  goBack(count: number, isShown: boolean): number {
    assert(this.#kept !== null, 'a cursor that scrolls');
    const { rows, at } = this.#place;
    const before = at === 'after' ? rows : Math.max(0, rows - 1);
    const read = Math.min(count, before);
    if (isShown && read > 0) this.#executor.output.push(this.#kept.backward(before - read, read));
    if (read < count) this.rewind();
    else this.#place = { rows: before - read + 1, at: 'on' };
    return read;
  }

  rewind(): void {
    this.#place = { rows: 0, at: 'before' };
  }

  close(): void {
    this.#kept?.clear();
    this.#portal.close();
  }

  /** Of the rows that are kept, at most `count` after the current one; how many there were. */
  #readAgain(count: number, isShown: boolean): number {
    if (this.#kept === null) return 0;
    const { rows } = this.#place;
    const again = Math.min(count, this.#kept.count - rows);
    if (again === 0) return 0;
    if (isShown) this.#executor.output.push(this.#kept.forward(rows, again));
    this.#place = { rows: rows + again, at: 'on' };
    return again;
  }
}
