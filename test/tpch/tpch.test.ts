import { afterAll, beforeAll, expect, it } from 'vitest';
import { runTpch, type TpchOutcome, tpchTable } from './run-tpch.ts';
import { startTpchWorld, type TpchWorld } from './tpch-world.ts';

const scale = 0.005;

/** Numbers of the queries that are not refused. It may only grow. */
const answered = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22];

let world: TpchWorld;
let outcomes: readonly TpchOutcome[];

beforeAll(async () => {
  world = await startTpchWorld({ scale, answerTimeoutMs: 30_000 });
  outcomes = await runTpch(world, scale);
  process.stdout.write(`${tpchTable(outcomes)}\n`);
}, 180_000);

afterAll(() => world?.stop());

it('never answers a query of TPC-H otherwise than PostgreSQL', () => {
  expect(outcomes.filter(({ answer }) => answer.kind === 'different')).toEqual([]);
});

it('answers the queries of TPC-H that it answered before', () => {
  const equal = outcomes.filter(({ answer }) => answer.kind === 'equal');
  expect(equal.map(({ query }) => query.number)).toEqual(answered);
});
