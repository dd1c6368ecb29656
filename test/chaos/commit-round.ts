import type { Client } from 'pg';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { waitUntil } from '../../src/lab/wait-until.ts';
import { Load, type LoadReport } from '../support/load.ts';
import type { Random } from '../support/random.ts';
import type { Tap } from '../support/tapped-relay.ts';
import { accountsPerShard, borderId, certainlyNot, firstBalance } from './commit-tables.ts';
import type { CommitWorld, ShardName } from './commit-world.ts';
import { SpanningLists } from './spanning-lists.ts';
import { TpcbLoad } from './tpcb-load.ts';

/** A statement of a commit over two shards; see TwoPhaseCommit. */
export const steps = ['prepare', 'insert', 'commit', 'commit prepared'] as const;
export const moments = ['unsent', 'sent', 'answered'] as const;
/**
 * `link`: only the connection; `frozen`: the workers sleep for some seconds; `near`: the primary that
 * the statement is for; `far`: the other one. With `+` in between both, in this order.
 */
export const victims = [
  ...(['link', 'frozen', 'workers', 'supervisor', 'all', 'near', 'far'] as const),
  ...(['all+near', 'all+far', 'near+far'] as const),
] as const;

export type Case = {
  readonly step: (typeof steps)[number];
  readonly moment: (typeof moments)[number];
  readonly victim: (typeof victims)[number];
};

export type CommitRound = {
  readonly committed: number;
  readonly errors: ReadonlyMap<string, number>;
  /** From when all of it ran again to the end of the last transaction that was prepared then. */
  readonly endedMs: number;
  /** Broken promises in words; empty: none. */
  readonly findings: readonly string[];
};

/** Where the statement is lain in wait for: the home shard, which has written, decides. */
const taps: {
  readonly [Step in Case['step']]: { readonly shard: ShardName; readonly sql: RegExp };
} = {
  prepare: { shard: 'b', sql: /^PREPARE TRANSACTION/ },
  insert: { shard: 'a', sql: /^INSERT INTO pgweave\.decision/ },
  commit: { shard: 'a', sql: /^COMMIT$/ },
  'commit prepared': { shard: 'b', sql: /^COMMIT PREPARED/ },
};

/** From the start of a proxy, or the promotion of a primary. */
const preparedMaxMs = 10_000;
const preparedSql = 'select gid from pg_prepared_xacts';
const waitMs = 30_000;
/** Longer than recovery spares what is prepared. */
const frozenMs = 4_000;

/** Somebody dies at one step of a commit, with others committing all the time. */
export async function runCommitRound(
  world: CommitWorld,
  what: Case,
  { random, firstId }: { readonly random: Random; readonly firstId: number },
): Promise<CommitRound> {
  await world.restore();
  const lists = new SpanningLists(random, firstId);
  const tpcb = new TpcbLoad(random);
  const start = (index: number, run: (client: Client, id: number) => Promise<unknown>) =>
    new Load(() => world.served.connect(), firstId + index * 10_000, run);
  const transfers = (['a', 'b'] as const).map((from, index) =>
    start(index, (client, id) => transfer(client, id, from)),
  );
  const listLoads = [2, 3].map((index) => start(index, (client, id) => lists.run(client, id)));
  const tpcbLoads = [4, 5].map((index) => start(index, (client, id) => tpcb.run(client, id)));
  const all = [...transfers, ...listLoads, ...tpcbLoads];
  await flowing(world, all);
  await sleep(random.integer(0, 50));
  await strike(world, what);
  if (/supervisor|all/.test(what.victim)) await world.served.restart();
  const [endedMs] = await Promise.all([untilAllIsEnded(world), flowing(world, all)]);
  const [moved, appended, paid] = await Promise.all(
    [transfers, listLoads, tpcbLoads].map((loads) => Load.stopAll(loads)),
  );
  const reports = [moved, appended, paid].filter((report) => report !== undefined);
  // Nobody writes any more.
  const isNothingLeft = await waitUntil(async () => (await prepared(world))?.size === 0, {
    timeoutMs: preparedMaxMs,
    pollMs: 20,
  });
  const findings = [
    ...(endedMs > preparedMaxMs ? [`a transaction was prepared for ${endedMs} ms`] : []),
    ...(isNothingLeft ? [] : ['a transaction was left prepared']),
    ...(moved === undefined ? [] : await judge(world, moved)),
    ...(await lists.judge(world)),
    ...(paid === undefined ? [] : await TpcbLoad.judge(world, idsOf(paid.written), denied(paid))),
  ];
  const committed = reports.reduce((sum, { written }) => sum + written.length, 0);
  return { committed, errors: added(reports), endedMs, findings };
}

function idsOf(transactions: readonly { readonly id: number }[]): readonly number[] {
  return transactions.map(({ id }) => id);
}

function denied({ failed }: LoadReport): readonly number[] {
  return idsOf(failed.filter(({ code }) => certainlyNot.includes(code)));
}

function added(reports: readonly LoadReport[]): ReadonlyMap<string, number> {
  const errors = new Map<string, number>();
  for (const { failed } of reports) {
    for (const { code } of failed) errors.set(code, (errors.get(code) ?? 0) + 1);
  }
  return errors;
}

/** Resolves when the deed is done. */
async function strike(world: CommitWorld, what: Case): Promise<void> {
  const { step, moment, victim } = what;
  const { shard, sql: pattern } = taps[step];
  const near = await world.primary(shard);
  const far = await world.primary(shard === 'a' ? 'b' : 'a');
  const relay = world.relay(near);
  const deeds: { readonly [name: string]: () => Promise<unknown> } = {
    link: async () => {},
    frozen: () => world.freezeWorkers(frozenMs),
    workers: () => world.killProxy('workers'),
    supervisor: () => world.killProxy('supervisor'),
    all: () => world.killProxy('all'),
    near: () => near.kill(),
    far: () => far.kill(),
  };
  let isDone = false;
  const tap: Tap = {
    when: moment,
    matches: (sql) => pattern.test(sql),
    async hit() {
      for (const name of victim.split('+')) await deeds[name]?.();
      isDone = true;
    },
  };
  relay.tap = tap;
  await world.served.until(`${step} to be ${moment}`, () => isDone, waitMs);
}

/** One from an account of `from` to one of the other shard, and an entry for it in both. */
async function transfer(client: Client, id: number, from: ShardName): Promise<void> {
  // Each direction has its own accounts: two that wait for each other over shards would only take time.
  const account = 1 + (id % 5) + (from === 'a' ? 0 : 5);
  const parts = [
    `update entry set balance = balance + ${from === 'a' ? -1 : 1} where id = ${account};
     insert into entry values (${-id}, 0)`,
    `update entry set balance = balance + ${from === 'a' ? 1 : -1} where id = ${borderId + account};
     insert into entry values (${borderId + id}, 0)`,
  ];
  if (from === 'b') parts.reverse();
  await client.query('begin');
  for (const part of parts) await client.query(part);
  await client.query('commit');
}

/** Every client gets good answers. */
async function flowing(world: CommitWorld, loads: readonly Load[]): Promise<void> {
  const before = loads.map(({ count }) => count);
  await world.served.until(
    'every client to commit',
    () => loads.every(({ count }, index) => count > (before[index] ?? 0) + 2),
    waitMs,
  );
}

/** Others commit meanwhile: what counts is what is prepared as soon as both shards can be asked. */
async function untilAllIsEnded(world: CommitWorld): Promise<number> {
  let begun: ReadonlySet<string> = new Set();
  await world.served.until(
    'both shards to have a primary',
    async () => {
      const now = await prepared(world);
      begun = now ?? begun;
      return now !== null;
    },
    waitMs,
  );
  const since = systemClock.now();
  await world.served.until(
    'what was prepared to be ended',
    async () => {
      const now = await prepared(world);
      return now !== null && ![...begun].some((gid) => now.has(gid));
    },
    waitMs,
  );
  return systemClock.now() - since;
}

/** By their names; null while a shard has no primary that answers, or pgweave does not run. */
async function prepared(world: CommitWorld): Promise<ReadonlySet<string> | null> {
  try {
    const found = await Promise.all(
      (['a', 'b'] as const).map(async (shard) =>
        world.ask<{ gid: string }>(await world.primary(shard), preparedSql),
      ),
    );
    return new Set(found.flat().map(({ gid }) => gid));
  } catch {
    return null;
  }
}

/** What is stored, against what the clients were told. */
async function judge(world: CommitWorld, report: LoadReport): Promise<readonly string[]> {
  const a = await ledger(world, 'a');
  const b = await ledger(world, 'b');
  const halves = [...a.ids].filter((id) => !b.ids.has(id)).length;
  const otherHalves = [...b.ids].filter((id) => !a.ids.has(id)).length;
  const lost = report.written.filter(({ id }) => !a.ids.has(id)).length;
  const unexpected = denied(report).filter((id) => a.ids.has(id)).length;
  const total = a.balance + b.balance;
  const findings: string[] = [];
  if (halves + otherHalves > 0) findings.push(`${halves + otherHalves} rows are half written`);
  if (lost > 0) findings.push(`${lost} acknowledged transfers are lost`);
  if (unexpected > 0) findings.push(`${unexpected} transfers were denied and are there`);
  if (total !== 2 * accountsPerShard * firstBalance) findings.push(`the total is ${total}`);
  return findings;
}

async function ledger(
  world: CommitWorld,
  shard: ShardName,
): Promise<{ readonly ids: ReadonlySet<number>; readonly balance: number }> {
  const rows = await world.ask<{ id: number; balance: number }>(
    await world.primary(shard),
    'select id, balance from entry',
  );
  const names = rows.map(({ id }) => (shard === 'a' ? -id : id - borderId));
  return {
    ids: new Set(names.filter((id) => id > accountsPerShard)),
    balance: rows.reduce((sum, { balance }) => sum + balance, 0),
  };
}
