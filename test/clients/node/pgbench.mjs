import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demandSuccess, newerProgram, run, versionOf, withoutTls } from './program.mjs';
import { client, customers, tell } from './tell.mjs';

const program = newerProgram('pgbench');
const directory = mkdtempSync(join(tmpdir(), 'pgweave-pgbench-'));
const modes = ['simple', 'extended', 'prepared'];

const script = `\\set number random(1, 1000000)
\\set customer random(10, 39)
begin;
insert into reservation values (:client_id * 10000000 + :number, '${customers[1]}', 1, 1, '2025-01-01') on conflict do nothing;
select name from customer where cust_id = 'Kim-' || '01';
select payment from reservation where cust_id = '${customers[2]}' \\gset my_
update customer set name = :number::text where cust_id = '${customers[0]}';
end;
select count(*) from reservation where payment < :customer;
`;
const pipeline = `\\startpipeline
select name from customer where cust_id = '${customers[1]}';
select count(*) from item;
\\endpipeline
`;
const texts = { script, pipeline };
for (const [name, text] of Object.entries(texts)) writeFileSync(join(directory, name), text);

process.stdout.write(`${JSON.stringify({ version: await versionOf(program) })}\n`);

const bench = async (...words) => {
  const seen = await run(program, words, { env: withoutTls });
  const { out, err } = demandSuccess(seen);
  const counts = out.filter((line) => /^(query mode|number of)/.test(line));
  return [counts, err.filter((line) => /error|aborted/i.test(line))];
};
const load = (mode, ...words) =>
  bench('--client=4', '--transactions=25', '--no-vacuum', `--protocol=${mode}`, ...words);
const eachMode = async (...words) => {
  const seen = [];
  for (const mode of modes) seen.push(await load(mode, ...words));
  return seen;
};

await tell('crud', async () => {
  for (const id of customers) {
    const sql = `insert into customer values ('${id}', 'x', '${client}', '2024-01-01');
      insert into reservation values (0, '${id}', 1, 1, '2025-01-01')`;
    demandSuccess(await run('psql', ['--no-psqlrc', '--quiet', '--command', sql]));
  }
  return [];
});
await tell('pgbench tables', () => bench('--initialize', '--quiet', '--foreign-keys'));
await tell('pgbench tpcb', () => eachMode('--builtin=tpcb-like'));
await tell('pgbench reads', () => eachMode('--builtin=select-only', '--connect'));
await tell('pgbench script', () => eachMode(`--file=${join(directory, 'script')}`));
await tell('pgbench pipeline', async () => [
  await load('extended', `--file=${join(directory, 'pipeline')}`),
  await load('prepared', `--file=${join(directory, 'pipeline')}`),
]);
rmSync(directory, { recursive: true });
