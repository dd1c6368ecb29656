import { afterEach, describe, expect, it } from 'vitest';
import { SqlState } from '../../../src/base/sql-state.ts';
import { type GlobalId, GlobalIds } from '../../../src/cluster/transactions/global-id.ts';
import type { InDoubtTransaction, Verdict } from '../../../src/cluster/transactions/in-doubt.ts';
import type { TransactionOutcome } from '../../../src/cluster/transactions/transaction-outcome.ts';
import type { RecoveryReport } from '../../../src/cluster/transactions/transaction-recovery.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { TransactionKeeper } from '../../../src/supervisor/transaction-keeper.ts';
import { VirtualClock } from '../cluster/virtual-clock.ts';

const [a, b] = ['a' as ShardId, 'b' as ShardId];
const id = new GlobalIds('0123456789abcdef').mint(a);

function report({
  verdict = null,
  outcome = null,
  unread = [],
}: {
  readonly verdict?: Verdict | null;
  readonly outcome?: TransactionOutcome | null;
  readonly unread?: readonly ShardId[];
}): RecoveryReport {
  const doubt: InDoubtTransaction = {
    id,
    coordinator: a,
    shards: [b],
    owner: 'app',
    ageMs: 0,
    verdict: verdict ?? 'unknown',
  };
  return {
    inDoubt: verdict === null ? [] : [doubt],
    unread: new Set(unread),
    outcomes: outcome === null ? new Map() : new Map([[id, outcome]]),
  };
}

/** Looks that find one report after the other, the last one again and again. */
class Looks {
  readonly clock = new VirtualClock();
  readonly done: string[] = [];
  readonly keeper: TransactionKeeper;
  readonly #reports: RecoveryReport[];

  constructor(...reports: RecoveryReport[]) {
    this.#reports = reports;
    this.keeper = new TransactionKeeper({
      clock: this.clock,
      settleMaxMs: () => 1_000,
      recovery: {
        recover: async (wanted) => this.#recover(wanted),
        interrupt: async (which) => {
          this.done.push(`interrupt ${which}`);
        },
        force: async ({ shards }, outcome) => {
          this.done.push(`force ${outcome}`);
          return shards;
        },
        lockWaits: async () => new Map(),
        close: () => this.done.push('close'),
      },
    });
  }

  #recover(wanted: ReadonlySet<GlobalId>): RecoveryReport {
    this.done.push(`look for ${wanted.size}`);
    const [first, ...rest] = this.#reports;
    if (first === undefined) throw new Error('no report is left');
    if (rest.length > 0) this.#reports.shift();
    return first;
  }

  /** Time passes, and what it brings about comes to rest. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      this.clock.advance(50);
      await settled();
    }
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

let looks: Looks | null = null;

afterEach(() => {
  looks?.keeper.stop();
});

function begin(...reports: RecoveryReport[]): Looks {
  looks = new Looks(...reports);
  return looks;
}

describe('a worker that asks how its transaction ended', () => {
  it('hears it after the first look', async () => {
    const { keeper, done } = begin(report({ outcome: 'committed' }));
    expect(await keeper.settle(id, [a, b])).toBe('committed');
    expect(done).toEqual(['look for 1']);
  });

  it('waits while the transaction is in doubt, and while one of its shards cannot be read', async () => {
    const begun = begin(
      report({ verdict: 'running' }),
      report({ unread: [b] }),
      report({ outcome: 'rolled-back' }),
    );
    const answer = begun.keeper.settle(id, [a, b]);
    await begun.pass(400);
    expect(await answer).toBe('rolled-back');
    expect(begun.done).toHaveLength(3);
  });

  it('does not wait for other shards', async () => {
    const { keeper } = begin(report({ outcome: 'committed', unread: ['c' as ShardId] }));
    expect(await keeper.settle(id, [a, b])).toBe('committed');
  });

  it('hears after a while that nobody knows', async () => {
    const begun = begin(report({ verdict: 'unknown', unread: [a] }));
    const answer = begun.keeper.settle(id, [a, b]);
    await begun.pass(1_200);
    expect(await answer).toBeNull();
    const looked = begun.done.length;
    await begun.pass(500);
    expect(begun.done.length).toBe(looked);
  });

  it('hears what is decided even if it could not be ended everywhere in time', async () => {
    const begun = begin(report({ verdict: 'committed', outcome: 'committed', unread: [b] }));
    const answer = begun.keeper.settle(id, [a, b]);
    await begun.pass(1_200);
    expect(await answer).toBe('committed');
  });

  it('is answered by a look that began after the question', async () => {
    const { keeper, done } = begin(report({}), report({ outcome: 'committed' }));
    const first = keeper.look();
    await Promise.resolve();
    const answer = keeper.settle(id, [a, b]);
    await first;
    expect(await answer).toBe('committed');
    expect(done).toEqual(['look for 0', 'look for 1']);
  });
});

describe('the keeper', () => {
  it('looks every two seconds', async () => {
    const begun = begin(report({}));
    await begun.pass(6_100);
    expect(begun.done).toEqual(['look for 0', 'look for 0', 'look for 0']);
  });

  it('shares a look among those who ask before it begins', async () => {
    const { keeper, done } = begin(report({}));
    await Promise.all([keeper.look(), keeper.look(), keeper.look()]);
    expect(done).toEqual(['look for 0']);
  });
});

describe('an operator who resolves', () => {
  it('is told that there is no such transaction', async () => {
    const { keeper } = begin(report({}));
    await expect(keeper.resolve(id, 'committed')).rejects.toMatchObject({
      sqlState: SqlState.undefinedObject,
    });
  });

  it('has the shards decide where they can', async () => {
    const { keeper, done } = begin(report({ outcome: 'committed' }));
    expect(await keeper.resolve(id, 'committed')).toBe('the transaction is committed');
    expect(done).toEqual(['look for 1']);
  });

  it('cannot contradict them', async () => {
    const { keeper } = begin(report({ outcome: 'rolled-back' }));
    await expect(keeper.resolve(id, 'committed')).rejects.toMatchObject({
      sqlState: '55000',
      message: 'it has been rolled back',
    });
  });

  it('cannot contradict a decision that could not be carried out everywhere', async () => {
    const { keeper, done } = begin(report({ verdict: 'committed', outcome: 'committed' }));
    await expect(keeper.resolve(id, 'rolled-back')).rejects.toMatchObject({ sqlState: '55000' });
    expect(done).toEqual(['look for 1']);
  });

  it('interrupts a transaction that may still decide, to roll it back', async () => {
    const { keeper, done } = begin(
      report({ verdict: 'running' }),
      report({ outcome: 'rolled-back' }),
    );
    expect(await keeper.resolve(id, 'rolled-back')).toBe('the transaction is rolled back');
    expect(done).toEqual(['look for 1', `interrupt ${id}`, 'look for 1']);
  });

  it('cannot commit a transaction that may still decide', async () => {
    const { keeper, done } = begin(report({ verdict: 'running' }));
    await expect(keeper.resolve(id, 'committed')).rejects.toMatchObject({ sqlState: '55000' });
    expect(done).toEqual(['look for 1']);
  });

  it('decides where nobody can be asked', async () => {
    const { keeper, done } = begin(report({ verdict: 'unknown' }));
    expect(await keeper.resolve(id, 'committed')).toBe("committed on b, by an operator's word");
    expect(done).toEqual(['look for 1', 'force committed']);
  });
});
