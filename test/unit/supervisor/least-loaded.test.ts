import { describe, expect, it } from 'vitest';
import { leastLoaded } from '../../../src/supervisor/least-loaded.ts';
import { restartDelayMs } from '../../../src/supervisor/restart-delay.ts';
import { seededRandom } from '../../support/random.ts';

function candidates(...counts: readonly number[]) {
  return counts.map((sessionsCount, index) => ({ index, sessionsCount }));
}

describe('the choice of a worker', () => {
  it('is the one with the fewest sessions', () => {
    expect(leastLoaded(candidates(3, 1, 2))).toBe(1);
  });

  it('is the first of equals', () => {
    expect(leastLoaded(candidates(2, 1, 1))).toBe(1);
  });

  it('is nobody when nobody is there', () => {
    expect(leastLoaded([])).toBeNull();
  });

  it('evens out sessions that last, whatever ended before', () => {
    const random = seededRandom(7);
    const counts = [90, 0, 40, 3];
    for (let step = 0; step < 2_000; step++) {
      const index = leastLoaded(candidates(...counts)) ?? 0;
      counts[index] = (counts[index] ?? 0) + 1;
      const leaver = random.integer(0, 3);
      if (step < 1_000 && (counts[leaver] ?? 0) > 0) counts[leaver] = (counts[leaver] ?? 0) - 1;
    }
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });
});

describe('the delay before a restart', () => {
  it('is short at first', () => {
    expect(restartDelayMs(null, 3)).toBe(100);
  });

  it('doubles while workers die young, up to five seconds', () => {
    const delays: number[] = [];
    let delay: number | null = null;
    for (let i = 0; i < 8; i++) {
      delay = restartDelayMs(delay, 9_999);
      delays.push(delay);
    }
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  it('is short again after a worker that lived', () => {
    expect(restartDelayMs(5_000, 10_000)).toBe(100);
  });
});
