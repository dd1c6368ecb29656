import { defineConfig } from 'vitest/config';

// fast: pure code and fake shards, seconds. servers: real PostgreSQL clusters, minutes; one file at a
// time, because two cores cannot run two clusters under load and still keep failover timings honest.
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
            'test/chaos/**/*.test.ts',
          ],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
