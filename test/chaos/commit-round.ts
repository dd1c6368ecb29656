import type { Client } from 'pg';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { Load, type LoadReport } from '../support/load.ts';
import type { Random } from '../support/random.ts';
import type { Tap } from '../support/tapped-relay.ts';
import {
  accountsPerShard,
  borderId,
  type CommitWorld,
  firstBalance,
  type ShardName,
} from './commit-world.ts';

/** A statement of a commit over two shards; see TwoPhaseCommit. */
export const steps = ['prepare', 'insert', 'commit', 'commit prepared'] as const;
export const moments = ['unsent', 'sent', 'answered'] as const;
/**
 * `link`: only the connection; `frozen`: the workers sleep for some seconds; `near`: the primary that
 * the statement is for; `far`: the other one.
 */
export const victims = ['link', 'frozen', 'workers', 'supervisor', 'all', 'near', 'far'] as const;

export type Case = {
  readonly step: (typeof steps)[number];
  readonly moment: (typeof moments)[number];
  readonly victim: (typeof victims)[number];
};

export type CommitRound = {
  readonly committed: number;
  readonly errors: ReadonlyMap<string, number>;
  /** From the hit to the moment when nothing was prepared any more. */
  readonly endedMs: number;
  /** Broken promises in words; empty: none. */
  readonly findings: readonly string[];
};

const patterns: { readonly [Step in Case['step']]: RegExp } = {
  prepare: /^PREPARE TRANSACTION/,
  insert: /^INSERT INTO pgweave\.decision/,
  commit: /^COMMIT$/,
  'commit prepared': /^COMMIT PREPARED/,
};

/** Whose link is tapped: the home shard, which has written, decides. */
const shardOf: { readonly [Step in Case['step']]: ShardName } = {
  prepare: 'b',
  insert: 'a',
  commit: 'a',
  'commit prepared': 'b',
};

const clients = 4;
/** These answers promise that nothing was done. */
const certainlyNot = ['40001', '57P03', '25P02'];
/** From the start of a proxy, or the promotion of a primary. */
const preparedMaxMs = 10_000;
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
  const loads = Array.from({ length: clients }, (_, index) => {
    const id = firstId + index * 10_000;
    const from: ShardName = index % 2 === 0 ? 'a' : 'b';
    return new Load(
      () => world.served.connect(),
      id,
      (client, number) => transfer(client, number, from),
    );
  });
  await flowing(world, loads);
  await sleep(random.integer(0, 50));
  const hitAt = await strike(world, what);
  if (what.victim === 'supervisor' || what.victim === 'all') await world.served.restart();
  await flowing(world, loads);
  const report = await Load.stopAll(loads);
  const endedMs = await untilNothingIsPrepared(world, hitAt);
  const findings = [
    ...(endedMs > waitMs ? ['a transaction was left prepared'] : []),
    ...(await judge(world, report)),
  ];
  return { committed: report.written.length, errors: report.errors, endedMs, findings };
}

/** Resolves with the time when the deed was done. */
async function strike(world: CommitWorld, what: Case): Promise<number> {
  const { step, moment, victim } = what;
  const shard = shardOf[step];
  const near = await world.primary(shard);
  const far = await world.primary(shard === 'a' ? 'b' : 'a');
  const relay = world.relay(near);
  let hitAt: number | null = null;
  const tap: Tap = {
    when: moment,
    matches: (sql) => patterns[step].test(sql),
    async hit() {
      if (victim === 'near') await near.kill();
      else if (victim === 'far') await far.kill();
      else if (victim === 'frozen') await world.freezeWorkers(frozenMs);
      else if (victim !== 'link') await world.killProxy(victim);
      hitAt = systemClock.now();
    },
  };
  relay.tap = tap;
  await world.served.until(`${step} to be ${moment}`, () => hitAt !== null, waitMs);
  return hitAt ?? 0;
}

/** One from an account of `from` to one of the other shard, and an entry for it in both. */
async function transfer(client: Client, id: number, from: ShardName): Promise<void> {
  // Each direction has its own accounts: two that wait for each other over shards would wait for ever.
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

async function untilNothingIsPrepared(world: CommitWorld, since: number): Promise<number> {
  const deadline = systemClock.now() + preparedMaxMs;
  while (systemClock.now() < deadline) {
    if ((await preparedCount(world)) === 0) return systemClock.now() - since;
    await sleep(20);
  }
  return Number.POSITIVE_INFINITY;
}

async function preparedCount(world: CommitWorld): Promise<number> {
  let count = 0;
  for (const shard of ['a', 'b'] as const) {
    const rows = await world.ask(await world.primary(shard), 'select from pg_prepared_xacts');
    count += rows.length;
  }
  return count;
}

/** What is stored, against what the clients were told. */
async function judge(world: CommitWorld, report: LoadReport): Promise<readonly string[]> {
  const a = await ledger(world, 'a');
  const b = await ledger(world, 'b');
  const halves = [...a.ids].filter((id) => !b.ids.has(id)).length;
  const otherHalves = [...b.ids].filter((id) => !a.ids.has(id)).length;
  const lost = report.written.filter(({ id }) => !a.ids.has(id)).length;
  const denied = report.failed.filter(({ code }) => certainlyNot.includes(code));
  const unexpected = denied.filter(({ id }) => a.ids.has(id)).length;
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
