/** Everything that knows time comes in through this: a test can replay any scenario. */
export type Clock = {
  /** Monotonic milliseconds, fractional; unrelated to the time of day. */
  now(): number;
  /** Milliseconds since 1970 for logs and records only; never for a decision. */
  wallTime(): number;
  /** Calls back once after `delayMs`; the result cancels. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): () => void;
  /** Calls back every `periodMs`; the result cancels. Does not keep the process alive. */
  every(periodMs: number, callback: () => void): () => void;
};

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  every(periodMs, callback) {
    const timer = setInterval(callback, periodMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};

/**
 * Resolves after `delayMs` and keeps the process alive until then: for waits on the world outside
 * (another process ends, a file appears), which no virtual clock can hurry.
 */
export function sleep(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}
