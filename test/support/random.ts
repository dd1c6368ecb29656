/** A seeded generator (mulberry32): the same seed gives the same run on every machine. */
export type Random = {
  readonly seed: number;
  /** 0 (inclusive) to 1 (exclusive). */
  fraction(): number;
  /** An integer from `low` to `high`, both inclusive. */
  integer(low: number, high: number): number;
  pick<Value>(values: readonly Value[]): Value;
  bytes(length: number): Buffer;
};

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const integer = (low: number, high: number) => low + Math.floor(fraction() * (high - low + 1));
  return {
    seed,
    fraction,
    integer,
    pick: (values) => {
      const value = values[integer(0, values.length - 1)];
      if (value === undefined) throw new Error('there is nothing to pick from');
      return value;
    },
    bytes: (length) => Buffer.from(Array.from({ length }, () => integer(0, 255))),
  };
}
