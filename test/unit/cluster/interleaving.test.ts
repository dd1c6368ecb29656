import { describe, expect, it } from 'vitest';
import { interleave } from '../../../src/cluster/sequences/interleaving.ts';
import type { SequenceState, SequenceType } from '../../../src/cluster/sequences/sequence-state.ts';
import { seededRandom } from '../../support/random.ts';

const limits = { smallint: 32_767n, integer: 2_147_483_647n, bigint: 2n ** 63n - 1n };

function sequence(given: Partial<SequenceState> & { readonly type?: SequenceType } = {}) {
  const { type = 'bigint', increment = 1n, start = increment > 0n ? 1n : -1n } = given;
  const [min, max] = increment > 0n ? [1n, limits[type]] : [-limits[type] - 1n, -1n];
  const last = given.last ?? null;
  const next = last === null ? start : last + increment;
  const state: SequenceState = { type, start, increment, min, max, cycles: false, last, next };
  return { ...state, ...given };
}

/** As the servers have it afterwards. */
function adjusted(states: readonly SequenceState[]): readonly SequenceState[] {
  const plan = interleave(states);
  if (plan.kind !== 'adjust') throw new Error(plan.kind);
  return states.map((state, index) => {
    const { increment = 0n, start = 0n, restart = 0n } = plan.settings[index] ?? {};
    return { ...state, increment, start, last: null, next: restart };
  });
}

function called(state: SequenceState, times: number): SequenceState {
  if (times === 0 || state.next === null) return state;
  const last = state.next + BigInt(times - 1) * state.increment;
  return { ...state, last, next: last + state.increment };
}

describe('sequences of several shards', () => {
  it('start one after the other and count in strides', () => {
    const states = adjusted([sequence(), sequence(), sequence()]);
    expect(states.map(({ start, increment, next }) => [start, increment, next])).toEqual([
      [1n, 1024n, 1n],
      [2n, 1024n, 2n],
      [3n, 1024n, 3n],
    ]);
    expect(interleave(states)).toEqual({ kind: 'fits' });
  });

  it('go on beyond what any of them has given', () => {
    const states = adjusted([sequence({ last: 70n }), sequence({ last: 5000n }), sequence()]);
    expect(states.map(({ next }) => next)).toEqual([5121n, 5122n, 5123n]);
    expect(states.every(({ next }) => (next ?? 0n) > 5000n)).toBe(true);
  });

  it('stay as they are however often they are called', () => {
    const states = adjusted([sequence({ type: 'integer' }), sequence({ type: 'integer' })]);
    expect(interleave(states.map((state, index) => called(state, index * 17)))).toEqual({
      kind: 'fits',
    });
  });

  it('keep their places when a shard is added, which gets one that nobody has had', () => {
    const [a = sequence(), , c = sequence()] = adjusted([sequence(), sequence(), sequence()]);
    // The second shard has gone, a new one was made from a dump of the first.
    const states = adjusted([called(a, 3), called(c, 9), called(a, 3)]);
    expect(states.map(({ start }) => start)).toEqual([1n, 3n, 4n]);
    expect(interleave(states)).toEqual({ kind: 'fits' });
  });

  it('are adjusted again when one was set to a value of another shard', () => {
    const [a = sequence(), b = sequence()] = adjusted([sequence(), sequence()]);
    const moved = { ...b, last: 1025n, next: 2049n };
    const states = adjusted([a, moved]);
    expect(states.map(({ start, next }) => [start, next])).toEqual([
      [1n, 2049n],
      [2n, 1026n],
    ]);
  });

  it('keep an INCREMENT as the size of a block, and count down', () => {
    const blocks = adjusted([
      sequence({ increment: 50n }),
      sequence({ increment: 50n, last: 51n }),
    ]);
    expect(blocks.map(({ start, increment, next }) => [start, increment, next])).toEqual([
      [1n, 51_200n, 51_201n],
      [51n, 51_200n, 51_251n],
    ]);
    const down = adjusted([sequence({ increment: -1n }), sequence({ increment: -1n, last: -7n })]);
    expect(down.map(({ start, increment, next }) => [start, increment, next])).toEqual([
      [-1n, -1024n, -1025n],
      [-2n, -1024n, -1026n],
    ]);
    expect(interleave(down)).toEqual({ kind: 'fits' });
  });

  it('respect a start that was asked for', () => {
    const states = adjusted([sequence({ start: 1000n }), sequence({ start: 1000n })]);
    expect(states.map(({ start, next }) => [start, next])).toEqual([
      [1000n, 1000n],
      [1001n, 1001n],
    ]);
    const restarted = states.map((state) => ({ ...state, last: null, next: 5n }));
    expect(adjusted(restarted).map(({ next }) => next)).toEqual([1000n, 1001n]);
  });

  it('are left alone where values repeat, run out or are too many', () => {
    const reason = (states: readonly SequenceState[]) => {
      const plan = interleave(states);
      return plan.kind === 'unfit' ? [plan.reason, plan.isTooMany] : plan.kind;
    };
    expect(reason([sequence(), sequence({ cycles: true })])).toEqual(['it cycles (CYCLE)', false]);
    expect(reason([sequence(), sequence({ type: 'integer' })])).toEqual([
      'its type differs',
      false,
    ]);
    const full = sequence({ type: 'smallint', last: 32_767n });
    expect(reason([full, sequence({ type: 'smallint' })])).toEqual([
      'it has no values left beyond 32768',
      false,
    ]);
    const many = (count: number) =>
      Array.from({ length: count }, () => sequence({ type: 'integer' }));
    expect(reason(many(32))).toBe('adjust');
    expect(reason(many(33))).toEqual([
      'it is of type integer, whose sequences can count on 32 shards at most',
      true,
    ]);
    expect(reason([sequence()])).toBe('fits');
  });

  it('never give a value twice, whatever they were before', () => {
    const random = seededRandom(11);
    const upTo = (below: number) => random.integer(0, below - 1);
    for (let round = 0; round < 300; round += 1) {
      const unit = BigInt(upTo(2) === 0 ? 1 : 1 + upTo(60)) * (upTo(4) === 0 ? -1n : 1n);
      let states: readonly SequenceState[] = Array.from({ length: 2 + upTo(5) }, () => {
        const state = sequence({ increment: unit });
        return called(state, upTo(3) * upTo(200));
      });
      const given = new Set<bigint>();
      let highest: bigint | null = null;
      for (const { last } of states) {
        const isFurther = last !== null && (highest === null || (last - highest) * unit > 0n);
        if (isFurther) highest = last;
      }
      states = adjusted(states);
      for (let call = 0; call < 200; call += 1) {
        const index = upTo(states.length);
        const value = states[index]?.next ?? 0n;
        expect(given.has(value)).toBe(false);
        if (highest !== null) expect((value - highest) * unit > 0n).toBe(true);
        given.add(value);
        states = states.map((state, at) => (at === index ? called(state, 1) : state));
      }
      expect(interleave(states)).toEqual({ kind: 'fits' });
    }
  });
});
