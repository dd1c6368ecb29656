/**
 * The index of the worker with the fewest sessions, the first of equals; null without candidates.
 * Round robin would do for short connections, but long-lived ones pile up under it.
 */
export function leastLoaded(
  candidates: Iterable<{ readonly index: number; readonly sessionsCount: number }>,
): number | null {
  let index: number | null = null;
  let fewest = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    if (candidate.sessionsCount >= fewest) continue;
    index = candidate.index;
    fewest = candidate.sessionsCount;
  }
  return index;
}
