import { describe, expect, it } from 'vitest';
import type { CheckedFailover } from '../../../src/cluster/failover/failover-check.ts';
import { HoldTimes, holdText } from '../../../src/cluster/hold-times.ts';
import type { GlobalId } from '../../../src/cluster/transactions/global-id.ts';
import type { InDoubtTransaction } from '../../../src/cluster/transactions/in-doubt.ts';
import { counterByLabel } from '../../../src/observability/metrics-snapshot.ts';
import { createTrafficMetrics } from '../../../src/observability/traffic-metrics.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { lookingAround } from '../../../src/supervisor/look-around.ts';
import type { WorkerReport } from '../../../src/supervisor/messages.ts';

const [shard, other] = ['a', 'b'] as [ShardId, ShardId];

function report(
  epoch: number,
  held: number,
  holds: readonly number[],
  metrics: WorkerReport['metrics'] = [],
): WorkerReport {
  const shards = [
    { shard: other, epoch: 1, held: 7, holds: [9] },
    { shard, epoch, held, holds },
  ];
  return { clients: [], pools: [], metrics, shards };
}

function prepared(on: ShardId): InDoubtTransaction {
  const id = `pgweave/${on}/0/1` as GlobalId;
  const where = { coordinator: on, shards: [on] };
  return { id, ...where, owner: 'app', ageMs: 1, verdict: 'unknown' };
}

const checked: CheckedFailover = {
  shard,
  epoch: 2,
  check: {
    firstCommitMs: 1,
    streaming: [],
    durability: 'solo',
    holds: [],
    errors: {},
    left: ['a standby'],
  },
};

function look(reports: readonly (WorkerReport | null)[], inDoubt: InDoubtTransaction) {
  const workers = { reports: async () => reports };
  return lookingAround(workers, () => ({ inDoubt: [inDoubt] }))(checked);
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

describe('errors that clients got', () => {
  it('are counted by SQLSTATE, since the last look', async () => {
    const metrics = createTrafficMetrics('worker 0');
    const workers = { reports: async () => [report(2, 0, [], await metrics.snapshot()), null] };
    const lookAt = lookingAround(workers, () => null);
    for (const code of ['40001', '40001', '08007', '42601']) metrics.errorSent(code);
    expect((await lookAt(checked)).check.errors).toEqual({ '08007': 1, '40001': 2 });
    metrics.errorSent('57P03');
    expect((await lookAt(checked)).check.errors).toEqual({ '57P03': 1 });
    expect((await lookAt(checked)).check.errors).toEqual({});
  });

  it('are of a bounded number of kinds', async () => {
    const metrics = createTrafficMetrics('worker 0');
    for (const code of ['AB123', 'AB124', '40001']) metrics.errorSent(code);
    const counted = counterByLabel(await metrics.snapshot(), 'pgweave_errors_total', 'sqlstate');
    expect(counted).toEqual({ '08007': 0, '40001': 1, '57P01': 0, '57P03': 0, other: 2 });
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
