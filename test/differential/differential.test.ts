import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Locale } from '../../src/lab/data-directory.ts';
import { Dice } from './dice.ts';
import { Report } from './report.ts';
import { type Rows, randomRows } from './rows.ts';
import { Differential } from './run.ts';
import { randomTables, type Tables } from './table.ts';
import { loadRows, startWorld, storedDifferences, type World } from './world.ts';

// Every answer through pgweave is the one that a single PostgreSQL gives, or a clean refusal.
// DIFFERENTIAL_SEED and DIFFERENTIAL_STATEMENTS choose another run: npm run differential -- --help

const seed = Number(process.env['DIFFERENTIAL_SEED'] ?? 1);
const statements = Number(process.env['DIFFERENTIAL_STATEMENTS'] ?? 5_000);
const shardCounts = (process.env['DIFFERENTIAL_SHARDS'] ?? '1,2,4,7').split(',').map(Number);
const sessionCount = 4;
const msPerStatement = 50;
let isEqual = true;

const report = new Report();

for (const [index, shardCount] of shardCounts.entries()) {
  const locale: Locale =
    (seed + index) % 2 === 0
      ? { provider: 'icu', name: 'en-US' }
      : { provider: 'builtin', name: 'C.UTF-8' };
  describe(`${shardCount} shards, text sorted as in ${locale.name}, seed ${seed}`, () => {
    const dice = new Dice(seed * 16 + shardCount);
    const tables: Tables = randomTables(dice);
    const rows: Rows = randomRows(tables, dice);
    const share = Math.ceil(statements / shardCounts.length);
    let world: World;

    beforeAll(async () => {
      world = await startWorld(tables, { shardCount, sessionCount, locale });
      await loadRows(world, rows);
    }, 120_000);

    afterAll(() => world?.stop());

    it(
      `answers ${share} statements as PostgreSQL does`,
      async () => {
        const differential = new Differential({ world, tables, rows, dice, report });
        const failures = await differential.run(share);
        if (failures.length > 0) {
          isEqual = false;
          expect.fail(`${failures.length} kinds of failure\n\n${failures.join('\n\n')}`);
        }
      },
      60_000 + share * msPerStatement,
    );

    it('has stored the rows that PostgreSQL has, each where its key belongs', async () => {
      expect(await storedDifferences(world, tables)).toEqual([]);
    });
  });
}

afterAll(() => {
  process.stdout.write(`seed ${seed}\n${report}\n`);
  if (process.env['DIFFERENTIAL_RECORD'] !== '1' || !isEqual) return;
  const counts = { seed, shards: shardCounts, constructs: report.shares };
  writeFileSync('test/golden/support/refusals.json', `${JSON.stringify(counts, null, 2)}\n`);
});
