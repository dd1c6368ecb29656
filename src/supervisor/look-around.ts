import { contractStates } from '../base/contract-states.ts';
import type { CheckedFailover } from '../cluster/failover/failover-check.ts';
import { sumOfHolds } from '../cluster/hold-times.ts';
import { counterByLabel } from '../observability/metrics-snapshot.ts';
import type { WorkerReport } from './messages.ts';
import type { TransactionKeeper } from './transaction-keeper.ts';
import type { Workers } from './workers.ts';

/**
 * What a check of a replaced primary cannot see from the servers: how clients and transactions fare. Of the
 * errors those count that clients got since the last look, as nothing else makes them.
 */
export function lookingAround(
  workers: Pick<Workers, 'reports'>,
  transactions: () => Pick<TransactionKeeper, 'inDoubt'> | null,
): (checked: CheckedFailover) => Promise<CheckedFailover> {
  let before: ReadonlyMap<string, number> = new Map();
  return async ({ shard, epoch, check }) => {
    const reports = await workers.reports({ clients: false });
    const views = reports.map(
      (report) => report?.shards.find((one) => one.shard === shard) ?? null,
    );
    const late = views.flatMap((view, index) => {
      if (view === null) return [`worker ${index} does not answer`];
      return view.epoch === epoch ? [] : [`worker ${index} is on epoch ${view.epoch}`];
    });
    const held = views.reduce((sum, view) => sum + (view?.held ?? 0), 0);
    const prepared = (transactions()?.inDoubt ?? []).filter(({ shards }) => shards.includes(shard));
    const now = errorsOf(reports);
    const errors = growth(before, now);
    before = now;
    return {
      shard,
      epoch,
      check: {
        ...check,
        errors,
        holds: sumOfHolds(views.map((view) => (view?.epoch === epoch ? view.holds : []))),
        left: [
          ...check.left,
          ...late,
          ...(held === 0 ? [] : [`${held} statements wait for a primary`]),
          ...prepared.map(({ id }) => `transaction ${id} is prepared`),
        ],
      },
    };
  };
}

function errorsOf(reports: readonly (WorkerReport | null)[]): ReadonlyMap<string, number> {
  const all = reports.map((report) =>
    counterByLabel(report?.metrics ?? [], 'pgweave_errors_total', 'sqlstate'),
  );
  return new Map(
    contractStates.map((code) => [code, all.reduce((sum, one) => sum + (one[code] ?? 0), 0)]),
  );
}

/** A worker that died took what it had counted with it. */
function growth(
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): { readonly [sqlState: string]: number } {
  const grown = [...now].map(([code, count]) => [code, count - (before.get(code) ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, count]) => count > 0));
}
