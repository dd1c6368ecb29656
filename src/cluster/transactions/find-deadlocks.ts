import type { ShardId } from '../../sharding/shard-id.ts';
import type { LockWait } from './lock-waits.ts';

/** A transaction that has begun on several shards: the same in all of them. */
export type Holder = {
  /** The process ID that its client was told. */
  readonly session: number;
  /** Clock.wallTime() of its worker when it began: decides only who is given up. */
  readonly beganAt: number;
  readonly backends: readonly { readonly shard: ShardId; readonly pid: number }[];
};

export type Deadlock = {
  /** Equal for the same wait of the same transactions for each other. */
  readonly key: string;
  /** Whose statement is to be cancelled: of those on several shards the one that began last. */
  readonly session: number;
};

type Waiter = {
  readonly name: string;
  readonly holder: Holder | null;
  readonly waitsFor: readonly string[];
  readonly beganAt: number;
};

/**
 * Cycles in what transactions wait for, all shards' edges merged. One within a shard is that server's
 * own to find; here at least one transaction connects shards. Of each cycle one transaction is
 * given up, and no cycle is left.
 */
export function findDeadlocks(
  waits: ReadonlyMap<ShardId, readonly LockWait[]>,
  holders: readonly Holder[],
): readonly Deadlock[] {
  let waiters = waitersOf(waits, holders);
  const deadlocks: Deadlock[] = [];
  for (let cycle = findCycle(waiters); cycle !== null; cycle = findCycle(waiters)) {
    const members = cycle;
    const victim = youngest(members);
    const gone = victim?.name ?? members[0]?.name;
    waiters = waiters.filter(({ name }) => name !== gone);
    if (victim?.holder === undefined || victim.holder === null) continue;
    const key = members
      .map(({ name, beganAt }) => `${name}@${beganAt}`)
      .sort()
      .join(' ');
    deadlocks.push({ key, session: victim.holder.session });
  }
  return deadlocks;
}

function waitersOf(
  waits: ReadonlyMap<ShardId, readonly LockWait[]>,
  holders: readonly Holder[],
): readonly Waiter[] {
  const owners = new Map<string, Holder>();
  for (const holder of holders) {
    for (const { shard, pid } of holder.backends) owners.set(`${shard}/${pid}`, holder);
  }
  const nameOf = (backend: string) => {
    const owner = owners.get(backend);
    return owner === undefined ? backend : `session ${owner.session}`;
  };
  return [...waits].flatMap(([shard, list]) =>
    list.map(({ pid, blockers, beganAt }) => ({
      name: nameOf(`${shard}/${pid}`),
      holder: owners.get(`${shard}/${pid}`) ?? null,
      waitsFor: blockers.filter((blocker) => blocker !== 0).map((one) => nameOf(`${shard}/${one}`)),
      beganAt,
    })),
  );
}

/** A transaction waits on one shard, or, in a statement over several, on some at once. */
function findCycle(waiters: readonly Waiter[]): readonly Waiter[] | null {
  const byName = new Map<string, Waiter[]>();
  for (const waiter of waiters) {
    byName.set(waiter.name, [...(byName.get(waiter.name) ?? []), waiter]);
  }
  const finished = new Set<string>();
  const visit = (name: string, path: readonly Waiter[]): readonly Waiter[] | null => {
    const start = path.findIndex((waiter) => waiter.name === name);
    if (start >= 0) return path.slice(start);
    if (finished.has(name)) return null;
    for (const waiter of byName.get(name) ?? []) {
      for (const next of waiter.waitsFor) {
        const cycle = visit(next, [...path, waiter]);
        if (cycle !== null) return cycle;
      }
    }
    finished.add(name);
    return null;
  };
  for (const name of byName.keys()) {
    const cycle = visit(name, []);
    if (cycle !== null) return cycle;
  }
  return null;
}

function youngest(members: readonly Waiter[]): Waiter | null {
  const began = ({ holder }: Waiter) => holder?.beganAt ?? Number.NEGATIVE_INFINITY;
  const [last = null] = members.toSorted((a, b) => began(b) - began(a));
  return last?.holder === null ? null : last;
}
