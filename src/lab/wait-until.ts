import { sleep, systemClock } from '../base/clock.ts';

export type Wait = {
  readonly timeoutMs: number;
  readonly pollMs: number;
  readonly signal?: AbortSignal | undefined;
};

/** Polls until `condition` holds; false when time is up. Rejects with the signal's reason. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  { timeoutMs, pollMs, signal }: Wait,
): Promise<boolean> {
  const deadline = systemClock.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await condition()) return true;
    if (systemClock.now() >= deadline) return false;
    await sleep(pollMs);
  }
}
