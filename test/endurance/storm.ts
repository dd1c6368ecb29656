import { sleep, systemClock } from '../../src/base/clock.ts';
import type { EnduranceWorld } from './endurance-world.ts';
import { cpuSecondsOf } from './footprint.ts';
import { addressOf, LoadClient, type LoadTarget } from './load-client.ts';

export type StormReport = {
  readonly wantedPerSecond: number;
  readonly reachedPerSecond: number;
  readonly failed: readonly string[];
  /** From connecting to the answer of the first query. */
  readonly slowestMs: number;
  /** Of all processes of pgweave, for one client. */
  readonly cpuMsPerClient: number;
};

/**
 * Clients that log in, ask one question and go, so many in each second; who cannot keep up is
 * given no more than `width` at a time.
 */
export async function storm(
  world: EnduranceWorld,
  {
    perSecond,
    seconds,
    target,
    width = 200,
  }: { perSecond: number; seconds: number; target: LoadTarget; width?: number },
): Promise<StormReport> {
  const cpuBefore = await cpuSecondsOf(world.served);
  const beganAt = systemClock.now();
  const endsAt = beganAt + seconds * 1000;
  const underWay = new Set<Promise<void>>();
  const failed: string[] = [];
  let begun = 0;
  let done = 0;
  let slowestMs = 0;
  const one = async (index: number) => {
    const startedAt = systemClock.now();
    try {
      const client = await LoadClient.connect({ ...target, from: addressOf(index) });
      const rows = await client.query('select 7');
      if (rows[0]?.[0] !== '7') failed.push(`got ${JSON.stringify(rows)}`);
      // Half of them say goodbye. The others leave no port behind that must rest for a minute.
      if (index % 2 === 0) client.reset();
      else await client.end();
      done += 1;
      slowestMs = Math.max(slowestMs, systemClock.now() - startedAt);
    } catch (error) {
      failed.push(error instanceof Error ? error.message : String(error));
    }
  };
  while (systemClock.now() < endsAt) {
    const due = ((systemClock.now() - beganAt) * perSecond) / 1000;
    while (begun < due && underWay.size < width) {
      const client = one(begun++).finally(() => underWay.delete(client));
      underWay.add(client);
    }
    await sleep(2);
  }
  await Promise.all(underWay);
  const tookSeconds = (systemClock.now() - beganAt) / 1000;
  const cpuSeconds = (await cpuSecondsOf(world.served)) - cpuBefore;
  return {
    wantedPerSecond: perSecond,
    reachedPerSecond: done / tookSeconds,
    failed,
    slowestMs,
    cpuMsPerClient: (cpuSeconds * 1000) / Math.max(1, done),
  };
}
