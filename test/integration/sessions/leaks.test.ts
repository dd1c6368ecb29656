import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../../src/lab/sql.ts';
import { leavingFunctions } from '../../support/leaving-functions.ts';
import { type Random, seededRandom } from '../../support/random.ts';
import { ServedCluster } from '../../support/served-cluster.ts';

const connections = 3;
const seeds = Number(process.env['LEAK_SEEDS'] ?? 12);

const schema = `
  create table entry (id int primary key, tenant text, note text);
  alter table entry enable row level security;
  alter table entry force row level security;
  create policy own on entry using (tenant = current_setting('app.tenant', true));
  ${leavingFunctions};
  create function state_here() returns text language sql stable as $$
    select concat_ws(' ',
      (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),
      (select count(*) from pg_class where relnamespace = pg_my_temp_schema()),
      (select count(*) from pg_listening_channels()),
      (select count(*) from pg_cursors where name <> ''),
      (select count(*) from pg_prepared_statements where name !~ '^pgweave_')) $$`;

/** Statements that change what a session has, on the home shard, on another one or on all. */
const changes: readonly string[] = [
  "set app.tenant to 'red'",
  "set local app.tenant to 'red'",
  "select set_config('app.tenant', 'r' || 'ed', false)",
  "select set_config('app.tenant', 'red', true)",
  "set work_mem to '7MB'",
  "set timezone to 'Asia/Tokyo'",
  'set search_path to pg_temp, public',
  'set role clerk',
  'reset role',
  'set session authorization app',
  "set application_name to 'leaky'",
  'set default_transaction_read_only to on',
  'set enable_seqscan to off',
  'set statement_timeout to 12345',
  'reset all',
  'discard all',
  'discard temp',
  'create temp table if not exists entry (id int, secret text)',
  "create temp table secret as select 'x' as secret",
  'create temp sequence if not exists counter',
  'drop table if exists secret',
  'listen news',
  'unlisten *',
  "notify news, 'secret'",
  'select pg_advisory_lock(1)',
  'select pg_try_advisory_lock(2)',
  'select pg_advisory_unlock(1)',
  'select pg_advisory_unlock_all()',
  'select pg_advisory_xact_lock(3)',
  'begin',
  'begin isolation level repeatable read',
  'begin read only',
  'savepoint s',
  'rollback to s',
  'commit',
  'rollback',
  'declare c cursor for select 1',
  'select * from entry where id = 1',
  'select * from entry where id = 1000001',
  'select count(*) from entry',
  "update entry set note = 'changed' where id = 1000001",
  'select 1/0',
  'select * from no_such_table',
  'begin; set timezone to utc; create temp table many (id int); select 1/0',
  "select set_tenant('red')",
  "select take_over('red'), note from entry where id = 1000001",
  "select set_any('tenant', 'red')",
  "select set_any('other', 'red'), id from entry where id = 1000001",
  'select set_memory(), id from entry where id = 1000001',
  'select forget_memory()',
  'select become_clerk()',
  'select become_clerk(), id from entry where id = 1000001',
  'select make_table()',
  'select make_table(), id from entry where id = 1000001',
  "select run_it('listen news')",
  "select run_it('set timezone to utc')",
  "select run_it('prepare own as select 1')",
  "select run_it('declare held cursor with hold for select 1')",
  'select lock_it(4)',
  "select 'domain'::tenant_name",
  "insert into tagged select coalesce(max(id), 0) + 1, 'cast'::text from tagged",
  'select p.noted from pairs p',
  'select lock_it(5), id from entry where id = 1000001',
  "insert into watched values (1, 'red'), (1000001, 'red') on conflict do nothing",
  'select * from tenants',
  "begin; select take_over('red'), id from entry where id = 1000001; select 1/0",
  "set work_mem to '1MB'; select 1; set work_mem to 'much'",
];

/** Everything that a client could see of another one's session. */
const probe = `
  select pg_backend_pid() as pid, json_build_object(
    'who', array[current_user, session_user],
    'settings', (select json_agg(s.name || '=' || s.setting order by s.name) from pg_settings s
      where s.source in ('session', 'client') and s.name not in ('client_encoding')),
    'tenant', coalesce(current_setting('app.tenant', true), ''),
    'other', coalesce(current_setting('app.other', true), ''),
    'channels', (select json_agg(c) from pg_listening_channels() c),
    'locks', (select json_agg(l.objid) from pg_locks l
      where l.locktype = 'advisory' and l.pid = pg_backend_pid()),
    'temporary', (select json_agg(r.relname) from pg_class r where r.relnamespace = pg_my_temp_schema()),
    'cursors', (select json_agg(c.name) from pg_cursors c where c.name <> ''),
    'statements', (select json_agg(p.name) from pg_prepared_statements p where p.name !~ '^pgweave_')
  ) as seen`;

const farProbe = `
  select count(*), current_user as who, coalesce(current_setting('app.tenant', true), '') as tenant,
    current_setting('work_mem') as memory, current_setting('timezone') as zone,
    current_setting('statement_timeout') as timeout, current_setting('search_path') as path,
    current_setting('default_transaction_read_only') as reads,
    coalesce(current_setting('app.other', true), '') as other, public.state_here() as state
  from public.entry where id = 1000001`;

let served: ServedCluster;
const secrets: string[] = [];

beforeAll(async () => {
  const limits = `server_connections_max: ${connections}, reserved_connections_max: 2, acquire_timeout: 300ms`;
  served = await ServedCluster.start({ shards: ['a', 'b'], schema, workers: 1, limits });
  for (const { primary } of served.lab.shards) {
    const sql = 'create role clerk; grant clerk to app; grant all on entry to clerk';
    await withSession(primary, { database: 'app', password: null }, (session) =>
      session.query(sql),
    );
  }
  const client = await served.connect();
  await client.query("set app.tenant to 'red'");
  await client.query("insert into entry values (1, 'red', 'home'), (1000001, 'red', 'far')");
  await client.end();
});

afterAll(async () => {
  await served?.stop();
});

/** One session with state of every kind, which ends in one way or another. */
async function leaky(random: Random): Promise<void> {
  const client = await served.connect();
  client.on('notification', ({ payload }) => secrets.push(payload ?? ''));
  const count = random.integer(1, 14);
  for (let step = 0; step < count; step += 1) {
    const sql = random.pick(changes);
    const isPrepared = !sql.includes(';') && random.integer(0, 2) === 0;
    const query = isPrepared ? { text: sql, name: `p${step}`, values: [] } : { text: sql };
    await client.query(query).catch(() => {});
  }
  if (random.integer(0, 1) === 0) await client.end();
  else
    (
      client as unknown as { connection: { stream: { destroy(): void } } }
    ).connection.stream.destroy();
}

/** What new sessions see on all connections of both shards, which they hold at the same time. */
async function seenByOthers(): Promise<{ pids: Set<number>; seen: unknown[] }> {
  const clients: Client[] = [];
  const seen: unknown[] = [];
  const pids = new Set<number>();
  for (let count = 0; count < connections; count += 1) {
    const client = await served.connect();
    clients.push(client);
    await client.query('begin');
    const { rows } = await client.query(probe);
    pids.add(rows[0].pid);
    const far = await client.query(farProbe);
    const all = await client.query('select count(*) from public.entry');
    seen.push([rows[0].seen, far.rows, all.rows]);
  }
  await Promise.all(clients.map((client) => client.end()));
  return { pids, seen };
}

describe('what a session leaves behind', () => {
  it('is seen by nobody else', async () => {
    await served.untilIdle();
    const { seen, pids } = await seenByOthers();
    const [clean] = seen;
    expect(pids.size).toBe(connections);
    expect(clean).toMatchObject([{ locks: null, tenant: '' }, [{ count: '0' }], [{ count: '0' }]]);
    for (let seed = 1; seed <= seeds; seed += 1) {
      const random = seededRandom(seed);
      await Promise.all([leaky(random), leaky(random), leaky(random)]);
      await served.untilIdle();
      const after = await seenByOthers();
      await served.untilIdle();
      expect({ seed, seen: after.seen }).toEqual({ seed, seen: Array(connections).fill(clean) });
    }
    expect(secrets.filter((payload) => payload !== 'secret')).toEqual([]);
  });
});
