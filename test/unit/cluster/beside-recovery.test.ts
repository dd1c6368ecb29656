import { describe, expect, it } from 'vitest';
import { besideRecovery } from '../../../src/cluster/transactions/beside-recovery.ts';
import { GlobalIds } from '../../../src/cluster/transactions/global-id.ts';
import type { RecoveryReport } from '../../../src/cluster/transactions/transaction-recovery.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { VirtualClock } from './virtual-clock.ts';

const nothing: RecoveryReport = { inDoubt: [], unread: new Set(), outcomes: new Map() };

/** What is to be read is held until the third look. */
class Held {
  readonly clock = new VirtualClock();
  looks = 0;
  #free: () => void = () => {};
  readonly isFree = new Promise<void>((resolve) => {
    this.#free = resolve;
  });

  readonly recover = async (): Promise<RecoveryReport> => {
    this.looks += 1;
    if (this.looks === 3) this.#free();
    return nothing;
  };
}

/** A second in which what was begun goes on. */
async function second(clock: VirtualClock): Promise<void> {
  for (let part = 0; part < 10; part += 1) {
    clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('reading at the start', () => {
  it('waits for what is held by a transaction that recovery ends meanwhile', async () => {
    const held = new Held();
    const reading = besideRecovery(held, held.clock, () => held.isFree);
    await second(held.clock);
    expect(await reading).toBe(false);
    const { looks } = held;
    expect(looks).toBeGreaterThanOrEqual(3);
    await second(held.clock);
    expect(held.looks).toBe(looks);
  });

  it('tells that it may be out of date when recovery has ended something meanwhile', async () => {
    const outcomes = new Map([[new GlobalIds('00').mint('a' as ShardId), 'committed' as const]]);
    const recover = async () => ({ ...nothing, outcomes });
    expect(await besideRecovery({ recover }, new VirtualClock(), async () => {})).toBe(true);
  });

  it('fails as it does, when no look is under way any more', async () => {
    const held = new Held();
    let isLooking = false;
    const recover = async () => {
      isLooking = true;
      await Promise.resolve();
      isLooking = false;
      return nothing;
    };
    const reading = besideRecovery({ recover }, held.clock, async () => {
      throw new Error('unread');
    });
    await expect(reading).rejects.toThrow('unread');
    expect(isLooking).toBe(false);
  });
});
