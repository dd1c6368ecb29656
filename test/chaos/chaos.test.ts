import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../support/random.ts';
import { runRound } from './chaos-round.ts';
import { ChaosWorld } from './chaos-world.ts';
import { faults } from './faults.ts';

// One round of each; `npm run chaos` runs as many as one likes, and measures.
const seed = 7;
const clients = 4;

const everyFault =
  'F1 F2 F3 F5 F6 F7 F9 F10 F10L F11 F12 F13 F14 F15 F16 F17P F17O F17C F19 F20 F21 F23 F23L F24 F24S';

const worlds = [
  { standbys: 1, durability: 'sync', resolves: true, chosen: everyFault },
  { standbys: 2, durability: 'sync', resolves: false, chosen: 'F1 F4 F6L F8 F15 F17R F23' },
  { standbys: 2, durability: 'strict', resolves: false, chosen: 'F1 F2 F23' },
  { standbys: 1, durability: 'async', resolves: false, chosen: 'F1 F23' },
] as const;

let world: ChaosWorld;
let round = 0;

describe.each(worlds)('with $standbys standbys, $durability', (kind) => {
  const { standbys, durability, resolves, chosen } = kind;

  beforeAll(async () => {
    const failover = `resolve_writes: ${resolves}`;
    world = await ChaosWorld.start({ standbys, durability, failover });
  });

  afterAll(async () => {
    await world?.stop();
  });

  it.each(chosen.split(' '))('%s breaks no promise', async (name) => {
    const fault = faults.find((candidate) => candidate.name === name);
    if (fault === undefined) throw new Error(`no fault ${name}`);
    await world.restore();
    round += 1;
    const random = seededRandom(seed + round);
    const firstId = round * 1_000_000;
    const mayLose = durability === 'async';
    const options = { fault, clients, random, firstId, mayLose, resolves, lists: !mayLose };
    const result = await runRound(world, options);
    expect(result).toMatchObject({
      unexpected: [],
      findings: [],
      ...(mayLose ? {} : { lost: [] }),
    });
  });
});
