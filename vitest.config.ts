import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Failures must be noticed within fractions of a second here, or memory is counted: nobody beside them. */
const alone = ['test/integration/failover*.test.ts', 'test/integration/{demo,hostile}.test.ts'];

/** They take longest, and would run on when everything else is done if they were not begun first. */
const longest = ['/differential.test.ts', '/random-writes.test.ts'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) =>
      longest.some((end) => moduleId.endsWith(end)) ? 0 : 1;
    return (await super.sort(files)).sort((a, b) => isLong(a) - isLong(b));
  }
}

const patience = { testTimeout: 60_000, hookTimeout: 60_000 };

// fast: pure code and fake shards, seconds. servers: real PostgreSQL clusters, three files at a time,
// since each waits as long as it works. failover: real clusters, one file at a time. chaos:
// the same, under faults and crowds: `npm run test:chaos`, which .ci/run does too.
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'fast',
          include: [
            'test/unit/**/*.test.ts',
            'test/golden/**/*.test.ts',
            'test/architecture.test.ts',
          ],
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'servers',
          include: [
            'test/integration/**/*.test.ts',
            'test/differential/**/*.test.ts',
            'test/tpch/**/*.test.ts',
          ],
          exclude: alone,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          ...patience,
        },
      },
      {
        test: {
          name: 'failover',
          include: alone,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          ...patience,
        },
      },
      {
        test: {
          name: 'chaos',
          include: ['test/chaos/**/*.test.ts', 'test/endurance/**/*.test.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          ...patience,
        },
      },
    ],
  },
});
