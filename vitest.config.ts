import { defineConfig } from 'vitest/config';

/** Failures must be noticed within fractions of a second here, or memory is counted: nobody beside them. */
const alone = [
  'test/chaos/**/*.test.ts',
  'test/endurance/**/*.test.ts',
  'test/integration/failover*.test.ts',
  'test/integration/{demo,hostile,lost-commit,lost-write,rejoin-hook}.test.ts',
];

const patience = { testTimeout: 60_000, hookTimeout: 60_000 };

// fast: pure code and fake shards, seconds. servers: real PostgreSQL clusters, two files at a time,
// since each waits as long as it works. failover: real clusters, one file at a time.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: [
            'test/unit/**/*.test.ts',
            'test/golden/**/*.test.ts',
            'test/architecture.test.ts',
          ],
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
          maxWorkers: 2,
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
    ],
  },
});
