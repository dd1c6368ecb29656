import {
  decodeRowDescription,
  encodeRowDescription,
  type FieldDescription,
} from '../protocol/row-description.ts';
import type { CursorPlace } from './cursor-walk.ts';
import type { ForwardCursor } from './forward-cursor.ts';
import { formatOf } from './merge/shard-query-messages.ts';
import type { MultiShardRun } from './multi-shard-request.ts';
import { MultiShardPortal } from './run-multi-shard.ts';
import type { SessionExecutor } from './session-executor.ts';

/**
 * A cursor of DECLARE over several shards, read forward only. Its shards' portals are open from the
 * start, so that they see what was there then; they run when rows are fetched.
 */
export class MultiShardSqlCursor implements ForwardCursor {
  readonly format: 0 | 1;
  readonly isNoScroll: boolean;
  readonly #portal: MultiShardPortal;
  #columns: readonly FieldDescription[] = [];
  #place: CursorPlace = { rows: 0, at: 'before' };
  #hasFailed = false;
  #isShown = false;

  constructor(
    executor: SessionExecutor,
    run: Omit<MultiShardRun, 'wantsDescription' | 'resultFormats'>,
    declared: { readonly binary: boolean; readonly scroll: string },
  ) {
    this.format = declared.binary ? 1 : 0;
    this.isNoScroll = declared.scroll === 'no-scroll';
    const asked = { resultFormats: [this.format], wantsDescription: true };
    this.#portal = new MultiShardPortal(
      executor,
      { ...run, ...asked },
      {
        description: (frame) => {
          this.#columns = decodeRowDescription(frame, 0, frame.length);
        },
        rows: (frames) => {
          if (this.#isShown) executor.output.push(frames);
        },
        complete() {},
      },
    );
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
    this.#isShown = isShown;
    this.#portal.fetch(count === Infinity ? 0 : count, (end, rows) => {
      if (end === 'failed') {
        this.#hasFailed = true;
        done(null);
        return;
      }
      const at = end === 'complete' ? 'after' : 'on';
      this.#place = { rows: this.#place.rows + rows, at };
      done(rows);
    });
  }

  close(): void {
    this.#portal.close();
  }
}
