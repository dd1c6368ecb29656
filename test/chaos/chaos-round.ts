import type { Client } from 'pg';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { Load, type LoadReport } from '../support/load.ts';
import type { Random } from '../support/random.ts';
import type { Fault } from './faults.ts';
import { listFindings } from './list-history.ts';
import { ListLoad } from './list-load.ts';
import { type Origin, onePrimary } from './one-primary.ts';

/** What came of one fault under load. */
export type Round = {
  /** The longest time that one client waited for a good answer. */
  readonly stallMs: number;
  /** By SQLSTATE, of single statements outside of transactions. */
  readonly errors: ReadonlyMap<string, number>;
  /** Likewise, of transactions. */
  readonly blockErrors: ReadonlyMap<string, number>;
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

/** Something with a primary, which clients write to. */
export type RoundWorld = {
  connect(): Promise<Client>;
  until(what: string, reached: () => boolean, timeoutMs: number): Promise<void>;
  /** Promotions so far. */
  failovers(): Promise<number>;
  /** Of the last one; see Round. */
  steps(): Promise<readonly number[]>;
};

export type RoundOptions<World> = {
  readonly fault: Fault<World>;
  readonly clients: number;
  readonly random: Random;
  /** The mode is async: lost rows are counted, but no promise was broken. */
  readonly mayLose?: boolean;
  /** failover.resolve_writes is on. */
  readonly resolves?: boolean;
  /** Two clients more, whose history is checked: see ListLoad. */
  readonly lists?: boolean;
  /** No other round in this world has used it. */
  readonly firstId: number;
};

/** One fault in a world that is as it should be, with clients writing all the time. */
export async function runRound<World extends RoundWorld>(
  world: World,
  options: RoundOptions<World>,
): Promise<Round> {
  const { fault, clients, random, firstId, mayLose = false, lists = false } = options;
  const { resolves = false } = options;
  const before = await world.failovers();
  const loads = startLoads(world, clients, firstId);
  const histories = new ListLoad(firstId);
  const listLoads = lists ? startListLoads(world, histories, firstId + clients * 100_000) : [];
  try {
    await flowing(world, loads);
    await sleep(random.integer(0, 200));
    await fault.inject(world);
    await flowing(world, loads);
  } catch (error) {
    const all = [...loads.single, ...loads.blocks, ...listLoads];
    await Promise.race([Load.stopAll(all), sleep(15_000)]);
    throw error;
  }
  const single = await Load.stopAll(loads.single);
  const blocks = await Load.stopAll(loads.blocks);
  if (lists) await Load.stopAll(listLoads);
  const disorder = lists ? listFindings(histories.history, await finalLists(world, histories)) : [];
  // A killed pgweave counts anew.
  const failovers = Math.max(0, (await world.failovers()) - (fault.restarts === true ? 0 : before));
  const stored = await storedRows(world, firstId);
  const steps = failovers === 0 ? [] : await world.steps();
  const judged = judge(fault, {
    ...{ single, blocks, failovers, stored, mayLose, resolves },
  });
  return { ...judged, findings: [...judged.findings, ...disorder], steps };
}

/** Their identifiers are too large to be those of rows. */
function startListLoads(world: RoundWorld, histories: ListLoad, firstId: number): readonly Load[] {
  return [0, 1].map(
    (index) =>
      new Load(
        () => world.connect(),
        firstId + index * 50_000,
        (client, id) => histories.run(client, id),
      ),
  );
}

async function finalLists(world: RoundWorld, histories: ListLoad) {
  const client = await world.connect();
  try {
    return await histories.lists(client);
  } finally {
    await client.end();
  }
}

type Loads = { readonly single: readonly Load[]; readonly blocks: readonly Load[] };

/** Three of four clients write single statements, the others transactions of two. */
function startLoads(world: RoundWorld, clients: number, firstId: number): Loads {
  const loads = Array.from({ length: clients }, (_, index) => {
    const isBlock = index % 4 === 3;
    const id = firstId + index * 100_000;
    return { isBlock, load: new Load(() => world.connect(), id, isBlock ? block : single) };
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
async function flowing(world: RoundWorld, loads: Loads): Promise<void> {
  const all = [...loads.single, ...loads.blocks];
  const before = all.map(({ count }) => count);
  const since = systemClock.now();
  await world.until(
    'every client to write',
    () => all.every(({ count }, index) => count > (before[index] ?? 0) + 3),
    flowTimeoutMs - (systemClock.now() - since),
  );
}

async function storedRows(
  world: RoundWorld,
  firstId: number,
): Promise<ReadonlyMap<number, Origin>> {
  const client = await world.connect();
  try {
    const { rows } = await client.query(`select id, epoch, port from entry where id >= ${firstId}`);
    return new Map(rows.map(({ id, epoch, port }) => [id, { epoch, port }]));
  } finally {
    await client.end();
  }
}

function judge(
  fault: Pick<Fault, 'failovers' | 'errorless'>,
  {
    single,
    blocks,
    failovers,
    stored,
    mayLose,
    resolves,
  }: {
    readonly single: LoadReport;
    readonly blocks: LoadReport;
    readonly failovers: number;
    readonly stored: ReadonlyMap<number, Origin>;
    readonly mayLose: boolean;
    readonly resolves: boolean;
  },
): Omit<Round, 'steps'> {
  const written = [...single.written, ...blocks.written];
  const failed = [...single.failed, ...blocks.failed];
  const lost = written.map(({ id }) => id).filter((id) => !stored.has(id));
  const denied = failed.filter(({ code }) => certainlyNot.includes(code));
  const unexpected = denied.map(({ id }) => id).filter((id) => stored.has(id));
  const { min, max } = fault.failovers;
  const findings = [
    ...(lost.length > 0 && !mayLose ? [`${lost.length} acknowledged rows are lost`] : []),
    ...(unexpected.length > 0 ? [`${unexpected.length} rows were denied and are there`] : []),
    ...onePrimary(written, stored),
    ...(single.errors.has('23505') || blocks.errors.has('23505') ? ['a statement ran twice'] : []),
    ...(failovers < min ? ['nobody was promoted'] : []),
    ...(failovers > max ? [`${failovers} promotions`] : []),
    ...((fault.errorless === 'always' || (resolves && fault.errorless === 'resolved')) &&
    single.errors.size > 0
      ? [`errors outside of transactions: ${[...single.errors.keys()].join(', ')}`]
      : []),
  ];
  return {
    stallMs: Math.max(single.longestGapMs, blocks.longestGapMs),
    errors: single.errors,
    blockErrors: blocks.errors,
    failovers,
    lost,
    unexpected,
    unknown: failed.length - denied.length,
    findings,
  };
}
