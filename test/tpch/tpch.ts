import { parseArgs } from 'node:util';
import { runTpch, tpchTable } from './run-tpch.ts';
import { startTpchWorld } from './tpch-world.ts';

const help = `Runs the 22 queries of TPC-H through pgweave over four shards and on one PostgreSQL.

  --scale N     1 would be a gigabyte of rows (default 0.01)
`;

const { values } = parseArgs({
  options: {
    scale: { type: 'string', default: '0.01' },
    help: { type: 'boolean', default: false },
  },
});

const answerTimeoutMs = 300_000;

if (values.help) {
  process.stdout.write(help);
} else {
  const scale = Number(values.scale);
  const world = await startTpchWorld({ scale, answerTimeoutMs });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => world.stop().finally(() => process.exit(1)));
  }
  try {
    const outcomes = await runTpch(world, scale);
    process.stdout.write(`${tpchTable(outcomes)}\n`);
    if (outcomes.some(({ answer }) => answer.kind === 'different')) process.exitCode = 1;
  } finally {
    await world.stop();
  }
}
