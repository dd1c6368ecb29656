import { sleep, systemClock } from '../../src/base/clock.ts';
import { Load, type LoadReport } from '../support/load.ts';
import type { Random } from '../support/random.ts';
import type { ChaosWorld } from './chaos-world.ts';
import type { Fault } from './faults.ts';
import { type Origin, onePrimary } from './one-primary.ts';

/** What came of one fault under load. */
export type Round = {
  /** The longest time that one client waited for a good answer. */
  readonly stallMs: number;
  readonly errors: ReadonlyMap<string, number>;
  readonly failovers: number;
  /** Milliseconds from the first suspicion to its proof, the claim, the promotion, the release. */
  readonly steps: readonly number[];
  /** Acknowledged rows that are not there. */
  readonly lost: readonly number[];
  /** Rows whose client was told that they are certainly not written. */
  readonly unexpected: readonly number[];
  /** Rows of an unknown outcome. */
  readonly unknown: number;
  /** Broken promises in words; empty: none. */
  readonly findings: readonly string[];
};

/** These answers promise that nothing was done. */
const certainlyNot = ['40001', '57P03', '25P02'];
const flowTimeoutMs = 30_000;

export type RoundOptions = {
  readonly fault: Fault;
  readonly clients: number;
  readonly random: Random;
  /** The mode is async: lost rows are counted, but no promise was broken. */
  readonly mayLose?: boolean;
  /** No other round in this world has used it. */
  readonly firstId: number;
};

/** One fault in a world that is as it should be, with clients writing all the time. */
export async function runRound(world: ChaosWorld, options: RoundOptions): Promise<Round> {
  const { fault, clients, random, firstId, mayLose = false } = options;
  const before = await world.failovers();
  const loads = startLoads(world, clients, firstId);
  try {
    await flowing(world, loads);
    await sleep(random.integer(0, 200));
    await fault.inject(world);
    await flowing(world, loads);
  } catch (error) {
    await Promise.race([Load.stopAll([...loads.single, ...loads.blocks]), sleep(15_000)]);
    throw error;
  }
  const single = await Load.stopAll(loads.single);
  const blocks = await Load.stopAll(loads.blocks);
  // A killed pgweave counts anew.
  const failovers = Math.max(0, (await world.failovers()) - (fault.restarts === true ? 0 : before));
  const stored = await storedRows(world, firstId);
  const steps = failovers === 0 ? [] : await lastSteps(world);
  return { ...judge(fault, { single, blocks, failovers, stored, mayLose }), steps };
}

async function lastSteps(world: ChaosWorld): Promise<readonly number[]> {
  const [last] = await world.served.console('show failovers');
  return ['confirmed_ms', 'claimed_ms', 'promoted_ms', 'opened_ms'].map((name) =>
    Number(last?.[name]),
  );
}

type Loads = { readonly single: readonly Load[]; readonly blocks: readonly Load[] };

/** Three of four clients write single statements, the others transactions of two. */
function startLoads(world: ChaosWorld, clients: number, firstId: number): Loads {
  const loads = Array.from({ length: clients }, (_, index) => {
    const isBlock = index % 4 === 3;
    const id = firstId + index * 100_000;
    return { isBlock, load: new Load(() => world.served.connect(), id, isBlock ? block : single) };
  });
  return {
    single: loads.filter(({ isBlock }) => !isBlock).map(({ load }) => load),
    blocks: loads.filter(({ isBlock }) => isBlock).map(({ load }) => load),
  };
}

async function single(client: QueryClient, id: number): Promise<void> {
  await client.query('insert into entry values ($1, $2)', [id, 'single']);
}

async function block(client: QueryClient, id: number): Promise<void> {
  await client.query('begin');
  await client.query(`insert into entry values (${id}, 'block')`);
  await client.query(`update entry set note = 'changed' where id = ${id}`);
  await client.query('commit');
}

type QueryClient = { query(sql: string, values?: unknown[]): Promise<unknown> };

/** Every client gets good answers. */
async function flowing(world: ChaosWorld, loads: Loads): Promise<void> {
  const all = [...loads.single, ...loads.blocks];
  const before = all.map(({ count }) => count);
  const since = systemClock.now();
  await world.served.until(
    'every client to write',
    () => all.every(({ count }, index) => count > (before[index] ?? 0) + 3),
    flowTimeoutMs - (systemClock.now() - since),
  );
}

async function storedRows(
  world: ChaosWorld,
  firstId: number,
): Promise<ReadonlyMap<number, Origin>> {
  const client = await world.served.connect();
  try {
    const { rows } = await client.query(`select id, epoch, port from entry where id >= ${firstId}`);
    return new Map(rows.map(({ id, epoch, port }) => [id, { epoch, port }]));
  } finally {
    await client.end();
  }
}

function judge(
  fault: Fault,
  {
    single,
    blocks,
    failovers,
    stored,
    mayLose,
  }: {
    readonly single: LoadReport;
    readonly blocks: LoadReport;
    readonly failovers: number;
    readonly stored: ReadonlyMap<number, Origin>;
    readonly mayLose: boolean;
  },
): Omit<Round, 'steps'> {
  const written = [...single.written, ...blocks.written];
  const failed = [...single.failed, ...blocks.failed];
  const lost = written.map(({ id }) => id).filter((id) => !stored.has(id));
  const denied = failed.filter(({ code }) => certainlyNot.includes(code));
  const unexpected = denied.map(({ id }) => id).filter((id) => stored.has(id));
  const errors = new Map([...single.errors].map(([code, count]) => [code, count]));
  for (const [code, count] of blocks.errors) errors.set(code, (errors.get(code) ?? 0) + count);
  const { min, max } = fault.failovers;
  const findings = [
    ...(lost.length > 0 && !mayLose ? [`${lost.length} acknowledged rows are lost`] : []),
    ...(unexpected.length > 0 ? [`${unexpected.length} rows were denied and are there`] : []),
    ...onePrimary(written, stored),
    ...(errors.has('23505') ? ['a statement ran twice'] : []),
    ...(failovers < min ? ['nobody was promoted'] : []),
    ...(failovers > max ? [`${failovers} promotions`] : []),
    ...(fault.errorless === true && single.errors.size > 0
      ? [`errors outside of transactions: ${[...single.errors.keys()].join(', ')}`]
      : []),
  ];
  return {
    stallMs: Math.max(single.longestGapMs, blocks.longestGapMs),
    errors,
    failovers,
    lost,
    unexpected,
    unknown: failed.length - denied.length,
    findings,
  };
}
