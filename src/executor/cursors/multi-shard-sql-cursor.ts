import type { SessionSettings } from '../../backend/session-settings.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import {
  decodeRowDescription,
  encodeRowDescription,
  type FieldDescription,
} from '../../protocol/row-description.ts';
import { formatOf } from '../merge/shard-query-messages.ts';
import type { MultiShardRun } from '../select/multi-shard-request.ts';
import { MultiShardPortal } from '../select/run-multi-shard.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { CursorPlace } from './cursor-walk.ts';
import { KeptRows, type KeptRowsLimit } from './kept-rows.ts';
import type { ShardsCursor } from './shards-cursor.ts';

/**
 * A cursor of DECLARE over several shards. Its shards' portals are open from the start, so that they
 * see what was there then; they run when rows are fetched, forward only. A SCROLL cursor keeps the
 * rows that it has read. One WITH HOLD reads all that are left before its transaction is committed,
 * and keeps them.
 */
export class MultiShardSqlCursor implements ShardsCursor {
  readonly format: 0 | 1;
  readonly #portal: MultiShardPortal;
  readonly #executor: SessionExecutor;
  readonly scrolls: boolean;
  /** null: it does not scroll, and is not held yet. */
  #kept: KeptRows | null;
  /** The number of the first row that is kept. */
  #keptFrom = 0;
  /** What the text of the rows that are kept depends on; null: none are. */
  #keptText: string | null = null;
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
    this.scrolls = declared.scroll === 'scroll';
    this.#kept = this.scrolls ? new KeptRows(executor.cursors.room, scrollLimit(executor)) : null;
    const asked = { resultFormats: [this.format], wantsDescription: true };
    this.#portal = new MultiShardPortal(
      executor,
      { ...run, ...asked },
      {
        description: (frame) => {
          this.#columns = decodeRowDescription(frame, 0, frame.length);
        },
        rows: (frames) => {
          this.#keep(frames);
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

  fail(): void {
    this.#hasFailed = true;
  }

  advance(count: number, isShown: boolean, done: (rows: number | null) => void): void {
    if (count === 0 || this.#place.at === 'after') {
      done(0);
      return;
    }
    const kept = this.#keptAfter(count);
    const { rows } = this.#place;
    if (kept > 0) this.#place = { rows: rows + kept, at: 'on' };
    const goOn = () => {
      if (kept === count) done(kept);
      else if (this.#isComplete) {
        this.#place = { rows: rows + kept, at: 'after' };
        done(kept);
      } else this.#fetch(count - kept, isShown, (read) => done(read === null ? null : kept + read));
    };
    if (this.#kept === null || kept === 0 || !isShown) goOn();
    else this.#show(this.#kept.forward(rows - this.#keptFrom, kept), goOn);
  }

  goBack(count: number, isShown: boolean, done: (rows: number) => void): void {
    assert(this.#kept !== null, 'a cursor that scrolls');
    const { rows, at } = this.#place;
    const before = at === 'after' ? rows : Math.max(0, rows - 1);
    const read = Math.min(count, before);
    if (count > 0) {
      if (read < count) this.rewind();
      else this.#place = { rows: before - read + 1, at: 'on' };
    }
    if (read === 0 || !isShown) done(read);
    else this.#show(this.#kept.backward(before - read, read), () => done(read));
  }

  rewind(): void {
    this.#place = { rows: 0, at: 'before' };
  }

  get textHasChanged(): boolean {
    return this.#keptText !== null && this.#keptText !== textSettings(this.#executor.settings);
  }

  hold(done: (ok: boolean) => void): void {
    const limit = holdLimit(this.#executor);
    if (this.#kept === null) {
      this.#kept = new KeptRows(this.#executor.cursors.room, limit);
      this.#keptFrom = this.#place.rows;
    } else {
      try {
        this.#kept.keepUnder(limit);
      } catch (error) {
        if (!(error instanceof PgError)) throw error;
        this.#executor.fail(error, done);
        return;
      }
    }
    if (this.#isComplete) {
      done(true);
      return;
    }
    this.#isShown = false;
    this.#portal.fetch(0, (end) => {
      this.#isComplete = end === 'complete';
      done(this.#isComplete);
    });
  }

  close(): void {
    this.#kept?.clear();
    this.#portal.close();
  }

  #keep(frames: Buffer): void {
    if (this.#kept === null) return;
    this.#kept.add(frames);
    this.#keptText ??= textSettings(this.#executor.settings);
  }

  /** How many of the rows that are kept follow the current one; at most `count`. */
  #keptAfter(count: number): number {
    if (this.#kept === null) return 0;
    return Math.min(count, this.#keptFrom + this.#kept.count - this.#place.rows);
  }

  /** At the client's pace. */
  #show(pieces: Iterator<Buffer, void>, done: () => void): void {
    const { output } = this.#executor;
    for (;;) {
      if (!output.writable) {
        output.onDrain(() => this.#show(pieces, done));
        return;
      }
      const next = pieces.next();
      if (next.done === true) {
        done();
        return;
      }
      output.push(next.value);
    }
  }

  #fetch(count: number, isShown: boolean, done: (rows: number | null) => void): void {
    this.#isShown = isShown;
    this.#portal.fetch(count === Infinity ? 0 : count, (end, rows) => {
      if (end === 'failed') {
        this.#hasFailed = true;
        done(null);
        return;
      }
      this.#isComplete = end === 'complete';
      this.#place = { rows: this.#place.rows + rows, at: this.#isComplete ? 'after' : 'on' };
      done(rows);
    });
  }
}

function scrollLimit({ world }: SessionExecutor): KeptRowsLimit {
  return {
    bytesMax: world.limits.gatherBytesMax,
    option: 'limits.gather_bytes_max',
    why: 'SCROLL cursors',
    instead: 'Declare it NO SCROLL',
  };
}

function holdLimit({ world }: SessionExecutor): KeptRowsLimit {
  return {
    bytesMax: world.limits.sessionBytesMax,
    option: 'limits.session_bytes_max',
    why: 'cursors WITH HOLD',
    instead: 'Fetch in a transaction',
  };
}

/** PostgreSQL keeps values, and writes them as the session that fetches them wants; these are text. */
const textSettingNames = [
  'bytea_output',
  'client_encoding',
  'datestyle',
  'extra_float_digits',
  'intervalstyle',
  'lc_monetary',
  'timezone',
  'xmlbinary',
];

function textSettings({ values }: SessionSettings): string {
  return JSON.stringify(textSettingNames.map((name) => values.get(name)));
}
