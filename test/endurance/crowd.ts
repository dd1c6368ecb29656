import { serialize } from 'pg-protocol';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { type EnduranceWorld, Neighbour } from './endurance-world.ts';
import { cpuSecondsOf, type Footprint, footprintOf } from './footprint.ts';
import { addressOf, LoadClient } from './load-client.ts';

export type CrowdReport = {
  readonly crowded: Footprint;
  readonly findings: readonly string[];
  readonly answers: number;
  readonly slowestMs: number;
  readonly cpuShare: number;
};

/** Clients that log in and stay, a hundred at a time. */
async function gather(world: EnduranceWorld, count: number): Promise<readonly LoadClient[]> {
  const clients: LoadClient[] = [];
  while (clients.length < count) {
    const wanted = Math.min(100, count - clients.length);
    const more = Array.from({ length: wanted }, (_, index) =>
      LoadClient.connect({ ...world.app, from: addressOf(clients.length + index) }),
    );
    clients.push(...(await Promise.all(more)));
  }
  return clients;
}

/**
 * `idle` clients that do nothing, `active` ones that ask for what they can check, writers that move
 * amounts between shards, and a few that never read what they have asked for.
 */
export async function crowd(
  world: EnduranceWorld,
  { idle, active, seconds }: { idle: number; active: number; seconds: number },
): Promise<CrowdReport> {
  const idlers = await gather(world, idle);
  const slow = await gather(world, 4);
  const writers = await gather(world, Math.max(1, Math.floor(active / 20)));
  const crowded = await footprintOf(world.served);
  const cpuBefore = await cpuSecondsOf(world.served);
  const beganAt = systemClock.now();
  const readers = Array.from(
    { length: active - writers.length },
    (_, index) => new Neighbour({ ...world.app, from: addressOf(index) }, index),
  );
  for (const client of slow) {
    client.socket.pause();
    client.write(serialize.query("select repeat('x', 10000) from generate_series(1, 10000)"));
  }
  const endsAt = beganAt + seconds * 1000;
  const findings: string[] = [];
  const writing = writers.map((client, index) => write(client, index, endsAt, findings));
  while (systemClock.now() < endsAt) await sleep(100);
  await Promise.all(writing);
  for (const reader of readers) await reader.stop();
  const seconds1 = (systemClock.now() - beganAt) / 1000;
  const cpuShare = ((await cpuSecondsOf(world.served)) - cpuBefore) / seconds1;
  findings.push(...(await unbalanced(world)), ...(await silent(idlers)));
  for (const client of [...idlers, ...slow, ...writers]) client.reset();
  for (const reader of readers) findings.push(...reader.findings);
  return {
    crowded,
    findings,
    answers: readers.reduce((sum, { answers }) => sum + answers, 0),
    slowestMs: Math.max(...readers.map(({ slowestMs }) => slowestMs)),
    cpuShare,
  };
}

/** Takes from a row of one shard what it gives to one of the other. */
async function write(
  client: LoadClient,
  index: number,
  endsAt: number,
  findings: string[],
): Promise<void> {
  for (let turn = 1; systemClock.now() < endsAt; turn++) {
    const [left, right] = [1 + index * 2, 1_000_002 + index * 2];
    const amount = turn % 50;
    try {
      await client.query(`begin; update pair set half = half + ${amount} where id = ${left}`);
      await client.query(`update pair set half = half - ${amount} where id = ${right}`);
      await client.query(turn % 3 === 0 ? 'rollback' : 'commit');
    } catch (error) {
      findings.push(`writer: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    await sleep(20);
  }
}

/** Writers take from one shard what they give to the other, or do neither. */
export async function unbalanced(world: EnduranceWorld): Promise<readonly string[]> {
  const client = await LoadClient.connect(world.app);
  const [row] = await client.query('select sum(half), count(*) from pair');
  await client.end();
  return row?.[0] === '0' ? [] : [`the halves do not sum up to nothing: ${JSON.stringify(row)}`];
}

/** Those who slept all the time are still served. */
async function silent(idlers: readonly LoadClient[]): Promise<readonly string[]> {
  const chosen = idlers.filter((_, index) => index % Math.ceil(idlers.length / 50) === 0);
  const answers = await Promise.allSettled(chosen.map((client) => client.query('select 1')));
  return answers.flatMap((answer) =>
    answer.status === 'rejected' ? [`an idle client: ${String(answer.reason)}`] : [],
  );
}
