/** Upper bounds of the classes, milliseconds; what is longer makes one class more. */
export const holdBoundsMs = [50, 100, 250, 500, 1000, 2500, 5000] as const;

/** How long statements waited for the primary of an epoch that is new: how many of each class. */
export class HoldTimes {
  #epoch = 0;
  #counts: number[] = [];

  get counts(): readonly number[] {
    return this.#counts;
  }

  add(epoch: number, waitedMs: number): void {
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#counts = [...holdBoundsMs.map(() => 0), 0];
    }
    const index = holdBoundsMs.findIndex((bound) => waitedMs < bound);
    const place = index < 0 ? holdBoundsMs.length : index;
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
  }
}

/** Of several workers. */
export function sumOfHolds(all: readonly (readonly number[])[]): readonly number[] {
  return [...holdBoundsMs, Infinity].map((_, index) =>
    all.reduce((sum, counts) => sum + (counts[index] ?? 0), 0),
  );
}

/** `3 below 50 ms, 1 above 5000 ms`; empty: nobody waited. */
export function holdText(counts: readonly number[]): string {
  return counts
    .flatMap((count, index) => {
      const bound = holdBoundsMs[index];
      if (count === 0) return [];
      return [
        bound === undefined
          ? `${count} above ${holdBoundsMs.at(-1)} ms`
          : `${count} below ${bound} ms`,
      ];
    })
    .join(', ');
}
