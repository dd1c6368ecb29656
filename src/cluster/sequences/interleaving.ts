import type { SequenceState, SequenceType } from './sequence-state.ts';

/**
 * How the sequences of all shards give different values, without anybody being asked: shard number k
 * counts start + k, start + k + stride, start + k + 2 * stride and so on. With a unit, which is the
 * INCREMENT of whoever made the sequence, all of that is in units. A shard's place is the remainder
 * of its START WITH, so that the servers themselves say who has which, RESTART keeps it, and
 * standbys have it too.
 *
 * Invariant: START WITH of different shards are congruent modulo the unit and incongruent modulo the
 * increment, and every value that a shard gives is congruent to its START WITH.
 */
export const strides: { readonly [Type in SequenceType]: bigint } = {
  smallint: 16n,
  integer: 32n,
  bigint: 1024n,
};

export type Interleaving =
  | { readonly kind: 'fits' }
  /** One for each of the states, in their order. */
  | { readonly kind: 'adjust'; readonly settings: readonly SequenceSettings[] }
  /** Values of several shards can be equal, and this cannot be helped here. */
  | { readonly kind: 'unfit'; readonly reason: string; readonly isTooMany: boolean };

export type SequenceSettings = {
  readonly increment: bigint;
  readonly start: bigint;
  /** The next value: beyond all that any shard has given. */
  readonly restart: bigint;
};

/** `states` of one sequence on all shards that have it, in map order. */
export function interleave(states: readonly SequenceState[]): Interleaving {
  const [first] = states;
  if (first === undefined || states.length === 1) return { kind: 'fits' };
  const unfit = obstacle(first, states);
  if (unfit !== null) return unfit;
  if (isInterleaved(first, states)) return { kind: 'fits' };
  const unit = unitOf(states.find(isStrided) ?? first);
  const increment = unit * strides[first.type];
  const starts = startsOf(states, unit, increment);
  const from = furthest(
    states.map(({ last, next, start }) => (last === null ? (next ?? start) : last + unit)),
    unit,
  );
  const settings = starts.map((start) => {
    return { increment, start, restart: from + remainder(start - from, increment) };
  });
  const spent = settings.find(({ restart }) => restart > first.max || restart < first.min);
  if (spent !== undefined) return cannot(`it has no values left beyond ${from}`);
  return { kind: 'adjust', settings };
}

function obstacle(first: SequenceState, states: readonly SequenceState[]): Interleaving | null {
  const stride = strides[first.type];
  if (states.length > Number(stride)) {
    const reason = `it is of type ${first.type}, whose sequences can count on ${stride} shards at most`;
    return { kind: 'unfit', reason, isTooMany: true };
  }
  if (states.some(({ cycles }) => cycles)) return cannot('it cycles (CYCLE)');
  if (states.some(({ type }) => type !== first.type)) return cannot('its type differs');
  return null;
}

function cannot(reason: string): Interleaving {
  return { kind: 'unfit', reason, isTooMany: false };
}

function isInterleaved(first: SequenceState, states: readonly SequenceState[]): boolean {
  const { increment } = first;
  if (!isStrided(first)) return false;
  const unit = unitOf(first);
  const places = new Set(states.map(({ start }) => remainder(start, increment)));
  return (
    places.size === states.length &&
    states.every(
      (state) =>
        state.increment === increment &&
        remainder(state.start - first.start, unit) === 0n &&
        isOnItsPlace(state),
    )
  );
}

function isOnItsPlace({ last, next, start, increment }: SequenceState): boolean {
  const given = next ?? last;
  return given === null || remainder(given - start, increment) === 0n;
}

function isStrided({ type, increment }: SequenceState): boolean {
  return increment % strides[type] === 0n;
}

function unitOf(state: SequenceState): bigint {
  return isStrided(state) ? state.increment / strides[state.type] : state.increment;
}

/** Shards keep their places; others get those after the highest, which no former shard has had. */
function startsOf(
  states: readonly SequenceState[],
  unit: bigint,
  increment: bigint,
): readonly bigint[] {
  const base = furthest(
    states.map(({ start }) => start),
    -unit,
  );
  const stride = increment / unit;
  const taken = new Set<bigint>();
  const kept = states.map((state) => {
    const place = remainder(state.start - base, increment) / unit;
    const isPlace = remainder(state.start - base, unit) === 0n;
    if (state.increment !== increment || !isPlace || taken.has(place)) return null;
    taken.add(place);
    return state.start;
  });
  let place = [...taken].reduce((highest, each) => (each > highest ? each : highest), -1n);
  return kept.map((start) => {
    if (start !== null) return start;
    do place = (place + 1n) % stride;
    while (taken.has(place));
    taken.add(place);
    return base + place * unit;
  });
}

/** In the direction of `unit`. */
function furthest(values: readonly bigint[], unit: bigint): bigint {
  return values.reduce((far, value) => ((unit > 0n ? value > far : value < far) ? value : far));
}

/** How far it is from a multiple of the increment up to the value, in the increment's direction. */
function remainder(value: bigint, increment: bigint): bigint {
  const rest = value % increment;
  return rest === 0n || rest > 0n === increment > 0n ? rest : rest + increment;
}
