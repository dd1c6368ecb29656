import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newerProgram, run, versionOf, withoutTls } from './program.mjs';
import { client, customers, tell } from './tell.mjs';

const [, kim] = customers;
const directory = mkdtempSync(join(tmpdir(), 'pgweave-psql-'));
const words = ['--no-psqlrc', '--quiet', '--no-align', '--set', 'VERBOSITY=verbose'];
const older = (input) => run('psql', words, { input });
const newer = (input) => run(newerProgram('psql'), words, { input, env: withoutTls });

const versions = await Promise.all(['psql', newerProgram('psql')].map(versionOf));
process.stdout.write(`${JSON.stringify({ version: versions.join(' and ') })}\n`);

await tell('connect', async () => {
  const { out, err } = await older('\\conninfo\nselect current_user;');
  return [out.map((line) => line.replace(/at port "\d+"|address "[^"]*"/g, '')), err];
});

await tell('login', async () => {
  const certificate = {
    PGUSER: 'holder',
    PGSSLCERT: process.env.HOLDER_CERTIFICATE,
    PGSSLKEY: process.env.HOLDER_KEY,
  };
  const input = 'select current_user;';
  return [
    await run('psql', words, { input, env: { PGCHANNELBINDING: 'require' } }),
    await run('psql', words, { input, env: certificate }),
  ];
});

const described = [
  ...['customer', 'reservation', 'sample', 'note', 'note_id_seq', 'mood'].flatMap((name) => [
    `d ${name}`,
    `dT ${name}`,
  ]),
  ...['d', 'da sum', 'dA', 'dA+', 'dAc btree int4', 'dAf', 'dAo btree int4_ops', 'db', 'dc', 'dC'],
  ...['dconfig work_mem', 'dd', 'dD', 'ddp', 'dE', 'dew', 'des', 'det', 'deu', 'df', 'dF', 'dFd'],
  ...['dFp', 'dFt', 'dg', 'di', 'dl', 'dL', 'dm', 'dn public', 'do', 'dO', 'dp', 'dP', 'drds'],
  ...['drg', 'dRp', 'dRs', 'ds', 'dt', 'dt public.*', 'dT', 'du', 'dv', 'dx', 'dX', 'dy', 'l', 'z'],
  ...['sf abs(integer)', 'encoding', 'dfS lower', 'dS pg_class', 'd+ reservation', 'di+ nothing'],
];

await tell('describe', async () => {
  const { out, err } = await newer(described.map((each) => `\\echo ${each}\n\\${each}\n`).join(''));
  return [out, err];
});

await tell('crud', () =>
  older(`insert into customer values ('${kim}', 'Kim', '${client}', '2024-01-01') returning *;
    update customer set name = 'New' where cust_id = '${kim}';
    select name, country from customer where cust_id = '${kim}' \\gx
    \\d nothing
    select * from nowhere;
    insert into customer values ('${kim}', 'Kim', '${client}', '2024-01-01');
    \\errverbose`),
);

await tell('script', async () => {
  const seen =
    await newer(`select cust_id as id, name from customer where cust_id = '${kim}' \\gset my_
    select :'my_id' as id, reserve_id from reservation where cust_id = 'Kim-01' order by 2 limit 1;
    select count(*) as customers from customer where country = 'Seed' \\watch i=0.1 c=3
    select format('select %L as %I', cust_id, name) from customer where country = 'Seed' order by 1 limit 3 \\gexec
    select item_id, extract(year from date) as year, count(*) from reservation where date < '2025-01-01' group by 1, 2 order by 1, 2 \\crosstabview
    select cust_id, payment, date from reservation \\gdesc
    select name from customer where cust_id = $1 \\bind '${kim}' \\g
    select name from customer where cust_id = $1 \\parse by_id
    \\bind_named by_id '${kim}' \\g
    \\close_prepared by_id
    \\set FETCH_COUNT 100
    select reserve_id from reservation where date < '2025-01-01' order by 1;
    \\set ON_ERROR_ROLLBACK on
    begin;
    insert into customer values ('${kim}', 'Kim', '${client}', '2024-01-01');
    select count(*) from customer where country = 'Seed';
    commit;
    \\if :{?my_id}
    \\echo yes
    \\endif`);
  // The time of day is above each of \\watch's answers.
  return { ...seen, out: seen.out.filter((line) => !line.includes('(every ')) };
});

await tell('batch', () =>
  newer(`\\startpipeline
    insert into reservation values ($1, $2, 1, 1, '2025-01-01') \\bind 1 '${kim}' \\sendpipeline
    select count(*) from reservation where cust_id = $1 \\bind '${kim}' \\sendpipeline
    select * from nowhere \\bind \\sendpipeline
    select 1 \\bind \\sendpipeline
    \\syncpipeline
    select count(*) from item \\bind \\sendpipeline
    \\endpipeline`),
);

await tell('copy', async () => {
  const file = join(directory, 'note.csv');
  const seen = await older(`\\copy note (body) from stdin
${client} one
${client} two
\\.
    \\copy (select body from note where body like '${client}%' order by 1) to '${file}' csv header
    \\copy note (body) from '${file}' csv header
    \\copy (select count(*) from note where body like '${client}%') to stdout
    \\copy note (body) from program 'echo ${client} three'
    select count(*) from note where body like '${client}%';`);
  rmSync(directory, { recursive: true });
  return seen;
});
