import type { Clock } from '../base/clock.ts';
import type { Telemetry } from '../base/telemetry.ts';
import { type Drift, driftText } from '../cluster/drift/find-drift.ts';

export type DriftWatchParts = {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Milliseconds from one look to the next. */
  readonly periodMs: () => number;
  readonly read: () => Promise<readonly Drift[]>;
};

/** Between the two looks of one comparison: longer than a commit over shards takes. */
const confirmMs = 500;
/** Lines of one log entry. */
const toldMax = 10;

/**
 * Looks now and then whether the shards' schemas are the same. The shards are not read at one
 * moment, so only what two looks have found is believed.
 */
export class DriftWatch {
  readonly #parts: DriftWatchParts;
  #cancelTimer: () => void = () => {};
  #found: readonly Drift[] | null = null;
  #told: ReadonlySet<string> = new Set();
  #last: Promise<unknown> = Promise.resolve();
  #next: Promise<readonly Drift[]> | null = null;
  #failing = false;
  #stopped = false;

  constructor(parts: DriftWatchParts) {
    this.#parts = parts;
  }

  /** As of the last look; null: nobody could look yet. */
  get found(): readonly Drift[] | null {
    return this.#found;
  }

  /** Looks at once, then again and again. */
  start(): void {
    const { clock, telemetry, periodMs } = this.#parts;
    const next = () => {
      if (!this.#stopped) this.#cancelTimer = clock.after(periodMs(), () => this.start());
    };
    this.look().then(next, (error: unknown) => {
      // Once per outage.
      if (!this.#failing && !this.#stopped) {
        telemetry.log('warn', 'the schemas of the shards could not be compared', { error });
      }
      this.#failing = true;
      next();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
  }

  /** A look that begins after the call; those who call before it begins share it. */
  look(): Promise<readonly Drift[]> {
    if (this.#next === null) {
      this.#next = this.#last.then(() => {
        this.#next = null;
        return this.#look();
      });
      this.#last = this.#next.catch(() => {});
    }
    return this.#next;
  }

  async #look(): Promise<readonly Drift[]> {
    const { clock, read } = this.#parts;
    let found = await read();
    if (found.length > 0) {
      const before = new Set(found.map(driftText));
      await new Promise<void>((resolve) => {
        clock.after(confirmMs, resolve);
      });
      found = (await read()).filter((drift) => before.has(driftText(drift)));
    }
    this.#failing = false;
    this.#found = found;
    this.#tell(found);
    return found;
  }

  #tell(found: readonly Drift[]): void {
    const { telemetry } = this.#parts;
    const texts = found.map(driftText);
    const news = texts.filter((text) => !this.#told.has(text));
    if (news.length > 0) {
      const more = news.length > toldMax ? [`and ${news.length - toldMax} more: SHOW DRIFT`] : [];
      telemetry.log('warn', 'the schemas of the shards differ', {
        drift: [...news.slice(0, toldMax), ...more],
      });
    } else if (texts.length === 0 && this.#told.size > 0) {
      telemetry.log('info', 'the schemas of the shards are the same again');
    }
    this.#told = new Set(texts);
  }
}
