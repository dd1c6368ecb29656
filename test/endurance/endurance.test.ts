import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crowd, unbalanced } from './crowd.ts';
import { dieInEveryState } from './deaths.ts';
import { EnduranceWorld } from './endurance-world.ts';
import type { Footprint } from './footprint.ts';
import { fuzz } from './fuzz.ts';
import { leaveAtRandom } from './leaving.ts';
import { storm } from './storm.ts';

// Small numbers; `npm run endurance` takes as many as one likes, and measures.
const seed = Number(process.env['FUZZ_SEED'] ?? 7);
/** What a heap may have grown by before its owner sees a reason to collect. */
const slackBytes = 60 * 1024 ** 2;
/** Sockets of the console's own questions. */
const slackDescriptors = 10;

let world: EnduranceWorld;

beforeAll(async () => {
  world = await EnduranceWorld.start();
});

afterAll(async () => {
  await world?.stop();
});

/** `serverConnections` may be more than before, up to what the pools may have. */
function expectReturned(before: Footprint, after: Footprint): void {
  expect(after.residentBytes - before.residentBytes).toBeLessThan(slackBytes);
  expect(after.fileDescriptors - before.fileDescriptors).toBeLessThanOrEqual(
    after.serverConnections - before.serverConnections + slackDescriptors,
  );
  expect(after.serverConnections).toBeLessThanOrEqual(2 * 20);
  expect(world.faults).toEqual([]);
}

describe('pgweave returns to where it was', () => {
  it('after clients that died in every state of the protocol', async () => {
    await dieInEveryState(world, 1);
    const before = await world.resting();
    await dieInEveryState(world, 1);
    expectReturned(before, await world.resting());
  });

  it(`after sessions that left in the middle of anything (seed ${seed})`, async () => {
    await leaveAtRandom(world, { seed: seed + 1, sessions: 200, width: 16 });
    const before = await world.resting();
    await leaveAtRandom(world, { seed, sessions: 400, width: 16 });
    expectReturned(before, await world.resting());
    expect(await unbalanced(world)).toEqual([]);
  });

  it('after a storm of clients that log in and go', async () => {
    const before = await world.resting();
    const report = await storm(world, { perSecond: 200, seconds: 2, target: world.app });
    expect(report.failed).toEqual([]);
    expectReturned(before, await world.resting());
  });

  it('after a crowd of idle, active and slow clients', async () => {
    const before = await world.resting();
    const report = await crowd(world, { idle: 200, active: 20, seconds: 2 });
    expect(report.findings).toEqual([]);
    expectReturned(before, await world.resting());
  });

  it(`after damaged traffic (seed ${seed}), which no neighbour notices`, async () => {
    const lines: string[] = [];
    const options = { seed, attempts: 400, width: 24, print: (line: string) => lines.push(line) };
    const report = await fuzz(world, options);
    expect({ lines: lines.slice(0, -1), findings: report.findings }).toEqual({
      lines: [],
      findings: [],
    });
    expect(report.neighbour.answers).toBeGreaterThan(10);
    expect(report.neighbour.slowestMs).toBeLessThan(5_000);
    expectReturned(report.before, report.after);
  });
});
