import type { PgError } from '../base/pg-error.ts';

const delayMinMs = 20;
const delayMaxMs = 500;

type Failure = { readonly error: PgError; readonly delayMs: number; readonly until: number };

/** Keeps failing logins apart: 20 ms after the first failure of a user, then twice as long each time. */
export class OpenBackoff {
  readonly #failures = new Map<string, Failure>();

  noteFailure(user: string, error: PgError, now: number): void {
    const before = this.#failures.get(user);
    const delayMs = before === undefined ? delayMinMs : Math.min(delayMaxMs, 2 * before.delayMs);
    this.#failures.set(user, { error, delayMs, until: now + delayMs });
  }

  noteSuccess(user: string): void {
    this.#failures.delete(user);
  }

  /** Why no login of the user may be tried now, and for how long; null: it may. */
  current(user: string, now: number): { readonly error: PgError; readonly waitMs: number } | null {
    const failure = this.#failures.get(user);
    if (failure === undefined || now >= failure.until) return null;
    return { error: failure.error, waitMs: failure.until - now };
  }
}
