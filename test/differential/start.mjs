import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

// npm run differential -- --statements 100000 --seed 7

const help = `Compares pgweave with one PostgreSQL on generated statements.

  --statements N   how many (default 5000)
  --seed N         another schema, other rows and statements (default 1)
  --runs N         so many runs with the seeds that follow (default 1)
`;

const { values } = parseArgs({
  options: {
    statements: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(help);
} else {
  const first = Number(values.seed);
  for (let seed = first; seed < first + Number(values.runs); seed++) {
    const { status } = spawnSync(
      'npx',
      ['vitest', 'run', '--project', 'servers', 'test/differential/differential.test.ts'],
      {
        stdio: 'inherit',
        env: {
          ...process.env,
          DIFFERENTIAL_SEED: String(seed),
          DIFFERENTIAL_STATEMENTS: values.statements,
        },
      },
    );
    if (status !== 0) process.exitCode = 1;
  }
}
