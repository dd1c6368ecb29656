import { describe, expect, it } from 'vitest';
import type { CheckedFailover } from '../../../src/cluster/failover-check.ts';
import { HoldTimes, holdText } from '../../../src/cluster/hold-times.ts';
import type { GlobalId } from '../../../src/cluster/transactions/global-id.ts';
import type { InDoubtTransaction } from '../../../src/cluster/transactions/in-doubt.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { lookAround } from '../../../src/supervisor/look-around.ts';
import type { WorkerReport } from '../../../src/supervisor/messages.ts';

const [shard, other] = ['a', 'b'] as [ShardId, ShardId];

function report(epoch: number, held: number, holds: readonly number[]): WorkerReport {
  const shards = [
    { shard: other, epoch: 1, held: 7, holds: [9] },
    { shard, epoch, held, holds },
  ];
  return { clients: [], pools: [], metrics: [], shards };
}

function prepared(on: ShardId): InDoubtTransaction {
  const id = `pgweave/${on}/0/1` as GlobalId;
  const where = { coordinator: on, shards: [on] };
  return { id, ...where, owner: 'app', ageMs: 1, verdict: 'unknown' };
}

const checked: CheckedFailover = {
  shard,
  epoch: 2,
  check: { firstCommitMs: 1, streaming: [], durability: 'solo', holds: [], left: ['a standby'] },
};

function look(reports: readonly (WorkerReport | null)[], inDoubt: InDoubtTransaction) {
  return lookAround(checked, { reports: async () => reports }, { inDoubt: [inDoubt] });
}

describe('a look around after a failover', () => {
  it('adds up how long statements waited, and finds nothing else', async () => {
    const reports = [report(2, 0, [1, 2]), report(2, 0, [0, 1])];
    const { check } = await look(reports, prepared(other));
    expect(check.left).toEqual(['a standby']);
    expect(holdText(check.holds)).toBe('1 below 50 ms, 3 below 100 ms');
  });

  it('names workers of another epoch, statements that wait and what is prepared', async () => {
    const { check } = await look([report(1, 2, [5]), null], prepared(shard));
    expect(check.left).toEqual([
      'a standby',
      'worker 0 is on epoch 1',
      'worker 1 does not answer',
      '2 statements wait for a primary',
      'transaction pgweave/a/0/1 is prepared',
    ]);
    expect(holdText(check.holds)).toBe('');
  });
});

describe('times for which statements are held', () => {
  it('are counted by class, for the last epoch', () => {
    const times = new HoldTimes();
    times.add(1, 10);
    for (const waitedMs of [49, 50, 4999, 5000]) times.add(2, waitedMs);
    expect(holdText(times.counts)).toBe(
      '1 below 50 ms, 1 below 100 ms, 1 below 5000 ms, 1 above 5000 ms',
    );
  });
});
