import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../support/random.ts';
import { runRound } from './chaos-round.ts';
import { ChaosWorld } from './chaos-world.ts';
import { faults } from './faults.ts';

// One round of each; `npm run chaos` runs as many as one likes, and measures.
const seed = 7;
const clients = 4;

let world: ChaosWorld;
let round = 0;

describe.each([1, 2])('with %i standby', (standbys) => {
  beforeAll(async () => {
    world = await ChaosWorld.start({ standbys, durability: 'sync' });
  });

  afterAll(async () => {
    await world?.stop();
  });

  const chosen =
    standbys === 1
      ? 'F1 F2 F3 F5 F6 F7 F10 F11 F12 F13 F14 F15 F16 F17P F17O F17C F19 F20 F21 F23'.split(' ')
      : ['F1', 'F4', 'F8', 'F15', 'F23'];

  it.each(chosen)('%s breaks no promise', async (name) => {
    const fault = faults.find((candidate) => candidate.name === name);
    if (fault === undefined) throw new Error(`no fault ${name}`);
    await world.restore();
    round += 1;
    const random = seededRandom(seed + round);
    const firstId = round * 1_000_000;
    const result = await runRound(world, { fault, clients, random, firstId, lists: true });
    expect(result).toMatchObject({ lost: [], unexpected: [], findings: [] });
  });
});
