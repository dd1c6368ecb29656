/**
 * Works on all items at the same time. When one fails, the others are told to stop (by the signal
 * they get) and waited for; only then rejects, with the first failure or the outer signal's reason.
 */
export async function runTogether<Item>(
  items: readonly Item[],
  work: (item: Item, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const failure = new AbortController();
  const stop = AbortSignal.any(signal === undefined ? [failure.signal] : [failure.signal, signal]);
  await Promise.all(
    items.map(async (item) => {
      try {
        await work(item, stop);
      } catch (error) {
        failure.abort(error);
      }
    }),
  );
  signal?.throwIfAborted();
  failure.signal.throwIfAborted();
}
