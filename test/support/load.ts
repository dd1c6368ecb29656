import type { Client } from 'pg';
import { sleep, systemClock } from '../../src/base/clock.ts';

export type WrittenRow = {
  readonly id: number;
  /** When it was begun, and when its good answer was there. */
  readonly startedMs: number;
  readonly atMs: number;
};

export type LoadReport = {
  /** Acknowledged, in the order of their answers. */
  readonly written: readonly WrittenRow[];
  /** What was answered with an error, or not at all. */
  readonly failed: readonly { readonly id: number; readonly code: string }[];
  /** How often each SQLSTATE (or message, without one) was answered. */
  readonly errors: ReadonlyMap<string, number>;
  /** The longest time without an answer that was good, from the first one on. */
  readonly longestGapMs: number;
};

/** Statements one after the other on a connection, until stop(); a broken one is opened again. */
export class Load {
  readonly #connect: () => Promise<Client>;
  readonly #run: (client: Client, id: number) => Promise<unknown>;
  readonly #firstId: number;
  readonly #written: WrittenRow[] = [];
  readonly #failed: { readonly id: number; readonly code: string }[] = [];
  readonly #running: Promise<void>;
  readonly #startedAt = systemClock.now();
  #stopped = false;

  constructor(
    connect: () => Promise<Client>,
    firstId: number,
    run: (client: Client, id: number) => Promise<unknown>,
  ) {
    this.#connect = connect;
    this.#run = run;
    this.#firstId = firstId;
    this.#running = this.#loop();
  }

  /** Adds up several loads of one kind. */
  static async stopAll(loads: readonly Load[]): Promise<LoadReport> {
    const reports = await Promise.all(loads.map((load) => load.#stop()));
    const errors = new Map<string, number>();
    const failed = reports.flatMap((report) => report.failed);
    for (const { code } of failed) errors.set(code, (errors.get(code) ?? 0) + 1);
    return {
      written: reports.flatMap(({ written }) => written).sort((a, b) => a.atMs - b.atMs),
      failed,
      errors,
      longestGapMs: Math.max(...reports.map(({ longestGapMs }) => longestGapMs)),
    };
  }

  get count(): number {
    return this.#written.length;
  }

  async #stop(): Promise<Omit<LoadReport, 'errors'>> {
    this.#stopped = true;
    await this.#running;
    // The first answer waits for the login as well.
    const answered = this.#written.map(({ atMs }) => atMs);
    const times = [answered[0] ?? this.#startedAt, ...answered, systemClock.now()];
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at));
    return { written: this.#written, failed: this.#failed, longestGapMs: Math.max(...gaps) };
  }

  async #loop(): Promise<void> {
    let client: Client | null = null;
    for (let id = this.#firstId; !this.#stopped; id++) {
      const startedMs = systemClock.now();
      try {
        client ??= await this.#connect();
        await this.#run(client, id);
        this.#written.push({ id, startedMs, atMs: systemClock.now() });
      } catch (error) {
        this.#failed.push({ id, code: codeOf(error) });
        // Where nobody listens a crowd of attempts would keep who is to listen from starting.
        const pauseMs = client === null ? 20 : 5;
        client = client === null ? null : await goneOn(client);
        await sleep(pauseMs);
      }
    }
    await client?.end();
  }
}

/** The same client, out of its failed transaction; null: its connection is no good any more. */
async function goneOn(client: Client): Promise<Client | null> {
  try {
    await client.query('rollback');
    return client;
  } catch {
    await client.end().catch(() => {});
    return null;
  }
}

/** An SQLSTATE, or the message of an error that has none. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? String(error.code) : error.message;
}
