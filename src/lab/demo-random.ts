/** The same numbers from the same seed on every machine, so that every demo shows the same rows. */
export type DemoRandom = {
  /** From 0 up to, not including, 1. */
  fraction(): number;
  /** From `low` to `high`, both included. */
  integer(low: number, high: number): number;
  pick<Value>(values: readonly [Value, ...Value[]]): Value;
};

/** splitmix32. */
export function demoRandom(seed: number): DemoRandom {
  let state = seed | 0;
  const fraction = () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
  const integer = (low: number, high: number) => low + Math.floor(fraction() * (high - low + 1));
  return {
    fraction,
    integer,
    pick: (values) => values[integer(0, values.length - 1)] ?? values[0],
  };
}
