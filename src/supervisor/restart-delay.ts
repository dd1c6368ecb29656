const shortestMs = 100;
const longestMs = 5_000;
/** A worker that lived this long counts as healthy: its next end starts from the beginning. */
const healthyMs = 10_000;

/**
 * How long to wait before a worker is started again: 100 ms, doubled with each quick death in a
 * row, 5 s at most.
 */
export function restartDelayMs(previousMs: number | null, livedMs: number): number {
  if (previousMs === null || livedMs >= healthyMs) return shortestMs;
  return Math.min(previousMs * 2, longestMs);
}
