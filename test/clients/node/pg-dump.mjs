import { demandSuccess, newerProgram, run, versionOf, withoutTls } from './program.mjs';
import { tell } from './tell.mjs';

const program = newerProgram('pg_dump');
// The key of \restrict is random otherwise.
const dump = (...words) => run(program, ['--restrict-key=clients', ...words], { env: withoutTls });

process.stdout.write(`${JSON.stringify({ version: await versionOf(program) })}\n`);

await tell('dump of a home table', async () =>
  demandSuccess(await dump('--table=note', '--inserts')),
);
await tell('dump of the schema', async () => {
  // Not `remark`: its sequence takes turns on the shards.
  const tables = ['customer', 'reservation', 'item', 'sample'].map((name) => `--table=${name}`);
  return demandSuccess(await dump('--schema-only', ...tables));
});
await tell('dump of rows', async () =>
  demandSuccess(await dump('--data-only', '--table=reservation')),
);
