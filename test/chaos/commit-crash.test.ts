import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../support/random.ts';
import { type Case, runCommitRound } from './commit-round.ts';
import { CommitWorld } from './commit-world.ts';

// A few of all cases; `npm run chaos:commit` runs them all, as often as one likes.
const chosen: readonly (readonly [Case['step'], Case['moment'], Case['victim']])[] = [
  ['prepare', 'sent', 'workers'],
  ['prepare', 'answered', 'all'],
  ['insert', 'unsent', 'link'],
  ['commit', 'unsent', 'all'],
  ['insert', 'sent', 'frozen'],
  ['commit', 'sent', 'link'],
  ['commit', 'answered', 'all+near'],
  ['commit', 'answered', 'near'],
  ['commit prepared', 'unsent', 'supervisor'],
  ['commit prepared', 'answered', 'near'],
];

let world: CommitWorld;
let firstId = 1_000;

describe('a commit over two shards', () => {
  beforeAll(async () => {
    world = await CommitWorld.start();
  });

  afterAll(async () => {
    await world?.stop();
  });

  it.each(chosen)('is whole when at %s (%s) these die: %s', async (...[step, moment, victim]) => {
    const what = { step, moment, victim };
    const round = await runCommitRound(world, what, { random: seededRandom(firstId), firstId });
    firstId += 100_000;
    expect(round.findings).toEqual([]);
    expect(round.committed).toBeGreaterThan(0);
  });
});
