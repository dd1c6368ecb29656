import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

// npm run differential -- --statements 100000 --seed 7

const help = `Compares pgweave with one PostgreSQL on generated statements.

  --statements N   how many (default 20000), in runs of at most 100000: tables grow with each
  --seed N         of the first run: another schema, other rows and statements (default 1)
  --shards N,N     how many shards, one after the other (default 1,2,4,7)
  --record         write the shares of refused statements for docs/sql-support.md
`;

const statementsMax = 100_000;

const { values } = parseArgs({
  options: {
    statements: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    shards: { type: 'string', default: '1,2,4,7' },
    record: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(help);
} else {
  let left = Number(values.statements);
  for (let seed = Number(values.seed); left > 0; seed++) {
    const statements = Math.min(left, statementsMax);
    left -= statements;
    const { status } = spawnSync(
      'npx',
      ['vitest', 'run', '--project', 'servers', 'test/differential/differential.test.ts'],
      {
        stdio: 'inherit',
        env: {
          ...process.env,
          DIFFERENTIAL_SEED: String(seed),
          DIFFERENTIAL_STATEMENTS: String(statements),
          DIFFERENTIAL_SHARDS: values.shards,
          DIFFERENTIAL_RECORD: values.record ? '1' : '0',
        },
      },
    );
    if (status !== 0) process.exitCode = 1;
  }
}
