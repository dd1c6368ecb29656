import type { CheckedFailover } from '../cluster/failover-check.ts';
import { sumOfHolds } from '../cluster/hold-times.ts';
import type { TransactionKeeper } from './transaction-keeper.ts';
import type { Workers } from './workers.ts';

/** What a check of a replaced primary cannot see from the servers: how clients and transactions fare. */
export async function lookAround(
  { shard, epoch, check }: CheckedFailover,
  workers: Pick<Workers, 'reports'>,
  transactions: Pick<TransactionKeeper, 'inDoubt'> | null,
): Promise<CheckedFailover> {
  const reports = await workers.reports({ clients: false });
  const views = reports.map((report) => report?.shards.find((one) => one.shard === shard) ?? null);
  const late = views.flatMap((view, index) => {
    if (view === null) return [`worker ${index} does not answer`];
    return view.epoch === epoch ? [] : [`worker ${index} is on epoch ${view.epoch}`];
  });
  const held = views.reduce((sum, view) => sum + (view?.held ?? 0), 0);
  const prepared = (transactions?.inDoubt ?? []).filter(({ shards }) => shards.includes(shard));
  return {
    shard,
    epoch,
    check: {
      ...check,
      holds: sumOfHolds(views.map((view) => (view?.epoch === epoch ? view.holds : []))),
      left: [
        ...check.left,
        ...late,
        ...(held === 0 ? [] : [`${held} statements wait for a primary`]),
        ...prepared.map(({ id }) => `transaction ${id} is prepared`),
      ],
    },
  };
}
