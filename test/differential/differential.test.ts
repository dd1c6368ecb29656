import { afterAll, beforeAll, expect, it } from 'vitest';
import { Dice } from './dice.ts';
import { type Rows, randomRows } from './rows.ts';
import { Differential } from './run.ts';
import { sessionCount } from './scenarios.ts';
import { randomTables, type Tables } from './table.ts';
import { loadRows, startWorld, storedDifferences, type World } from './world.ts';

// Every answer through pgweave is the one that a single PostgreSQL gives, or a clean refusal.
// DIFFERENTIAL_SEED and DIFFERENTIAL_STATEMENTS choose another run: npm run differential -- --help

const seed = Number(process.env['DIFFERENTIAL_SEED'] ?? 1);
const statements = Number(process.env['DIFFERENTIAL_STATEMENTS'] ?? 5000);
const msPerStatement = 50;

const dice = new Dice(seed);
const tables: Tables = randomTables(dice);
const rows: Rows = randomRows(tables, dice);
let world: World;

beforeAll(async () => {
  world = await startWorld(tables, sessionCount);
  await loadRows(world, rows);
}, 120_000);

afterAll(() => world?.stop());

it(
  `answers ${statements} statements of seed ${seed} as PostgreSQL does`,
  async () => {
    const { report, failures } = await new Differential(world, tables, rows, dice).run(statements);
    process.stdout.write(`seed ${seed}\n${report}\n`);
    if (failures.length > 0) {
      expect.fail(`seed ${seed}: ${failures.length} kinds of failure\n\n${failures.join('\n\n')}`);
    }
  },
  60_000 + statements * msPerStatement,
);

it('has stored the rows that PostgreSQL has, each where its key belongs', async () => {
  expect(await storedDifferences(world, tables)).toEqual([]);
});
