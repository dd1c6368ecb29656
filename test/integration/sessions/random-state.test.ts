import { Client, type ClientConfig } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../../src/lab/sql.ts';
import { BothSides } from '../../support/both-sides.ts';
import { leavingFunctions } from '../../support/leaving-functions.ts';
import { type Random, seededRandom } from '../../support/random.ts';

// Two users in turns, on each side: what one of them does to its session the other must not see,
// and each must see of its own what it would see in one PostgreSQL. More with STATE_SEEDS=500.
const seeds = Number(process.env['STATE_SEEDS'] ?? 15);
const firstSeed = Number(process.env['STATE_SEED'] ?? 1);
const steps = 40;

const schema = `
  create table entry (id int primary key, note text);
  create table home (id serial primary key, note text unique deferrable initially deferred);
  create schema other;
  create table other.home (id int, note text);
  create sequence counter;
  ${leavingFunctions};
  create view shown as select current_setting('work_mem') as memory, current_user as who;
  create function note_of(number int) returns text language sql stable as $$
    select note from home where id = number $$`;

const statements: readonly string[] = [
  "set app.tenant to 'red'",
  "set local app.tenant to 'blue'",
  "select set_config('app.tenant', 'gr' || 'een', false)",
  "select set_config('app.tenant', 'grey', true)",
  "select nullif(current_setting('app.tenant', true), '') as tenant",
  'reset app.tenant',
  "set work_mem to '7MB'",
  'set local work_mem to 5000',
  'show work_mem',
  'select * from shown',
  'reset work_mem',
  "set timezone to 'Asia/Tokyo'",
  "set time zone interval '+02:30' hour to minute",
  "select timestamptz '2024-01-02 03:04:05+00' as moment, current_setting('timezone')",
  "set datestyle to 'german'",
  'set session characteristics as transaction isolation level repeatable read',
  'show default_transaction_isolation',
  'show transaction_isolation',
  'set transaction isolation level repeatable read',
  'set transaction read only',
  'set search_path to other, public',
  'set local search_path to pg_temp, other',
  'set search_path to pg_temp, public',
  'reset search_path',
  'show search_path',
  'select * from home order by id, note',
  'select count(*) from entry',
  'select * from entry where id = 1',
  'select e.id, h.note from entry e left join home h on h.id = e.id order by 1, 2',
  "insert into home (note) values ('new') on conflict do nothing",
  "update entry set note = 'changed' where id = 1000001",
  "update entry set note = note || '+' where id in (1, 1000002) returning id",
  'delete from home where id > 3',
  'set role clerk',
  'set role none',
  'set local role clerk',
  'set session authorization default',
  'select current_user, session_user',
  "set application_name to 'mine'",
  'show application_name',
  'set default_transaction_read_only to on',
  'set statement_timeout to 12345',
  'show statement_timeout',
  'reset all',
  'discard all',
  'discard temp',
  'discard plans',
  'create temp table home (id int, note text)',
  "create temp table entry as select 7 as id, text 'own' as note",
  'create temp table brief (id int) on commit drop',
  'create temp table emptied (id int) on commit delete rows',
  'insert into emptied values (1), (2)',
  'select count(*) from emptied',
  'insert into brief values (1)',
  'select * from brief',
  'create temp sequence counter',
  "select nextval('pg_temp.counter')",
  'create temp view seen as select count(*) from home',
  'select * from seen',
  'listen news',
  'listen "More News"',
  'unlisten news',
  'unlisten *',
  "notify news, 'hello'",
  "select pg_notify('More News', 'again')",
  'select * from pg_listening_channels() order by 1',
  'select pg_try_advisory_lock(1)',
  'select pg_try_advisory_lock_shared(1)',
  'select pg_advisory_unlock(1)',
  'select pg_advisory_unlock_shared(1)',
  'select pg_advisory_unlock_all()',
  'select pg_try_advisory_xact_lock(2)',
  'select pg_try_advisory_lock(3, 4), pg_try_advisory_lock(5)',
  'begin',
  'begin read only',
  'start transaction isolation level serializable',
  'savepoint s',
  'savepoint t',
  'rollback to s',
  'release s',
  'commit',
  'commit and chain',
  'rollback',
  'rollback and chain',
  'abort',
  'declare c cursor for select id from home order by id',
  'declare far cursor for select id, note from entry order by id',
  'declare held scroll cursor with hold for select id from entry order by id',
  'declare own cursor with hold for select id from home order by id',
  'fetch 2 from c',
  'fetch far',
  'move 1 in far',
  'fetch 2 from held',
  'fetch backward 1 from held',
  'fetch all from own',
  'close c',
  'close held',
  'close all',
  "select name, is_holdable from pg_cursors where name = 'own'",
  'prepare p as select id, note from home where id = $1',
  'prepare q (int) as select note from entry where id = $1',
  'execute p(1)',
  'execute q(1000001)',
  'deallocate p',
  'deallocate all',
  "select set_tenant('red')",
  "select take_over('red'), note from entry where id = 1000001",
  'select set_memory(), id from entry where id = 1000001',
  'select forget_memory()',
  'select become_clerk()',
  'select make_table()',
  'select * from made',
  "select run_it('set local timezone to utc')",
  "select run_it('listen news')",
  'select lock_it(4)',
  "select 'domain'::tenant_name",
  'select own_tenant()',
  'select note_of(1)',
  'begin; set timezone to utc; create temp table many (id int); select 1/0',
  "set work_mem to '1MB'; show work_mem; set work_mem to 'much'",
  "set work_mem to '2MB'; begin; set work_mem to '3MB'; rollback; show work_mem",
  'select 1/0',
  'select * from no_such_table',
  'set no_such_setting to 1',
  'set work_mem to none',
  'truncate home restart identity cascade; insert into home (note) values (1), (2)',
  'lock table home in share mode',
  'set constraints all immediate',
  'set constraints all deferred',
  "insert into home (note) values ('one')",
  'select * from pg_temp.made',
  'show all_of_it',
  'set client_min_messages to warning',
  'set extra_float_digits to 0',
  'select 0.1::float8 + 0.2',
  "set bytea_output to 'escape'",
  "select 'ab'::bytea",
  "set names 'latin1'",
  'show client_encoding',
  'reset client_encoding',
];

let sides: BothSides;

beforeAll(async () => {
  sides = await BothSides.start({
    shards: ['a', 'b'],
    schema,
    workers: 1,
    limits: 'server_connections_max: 5',
    users: '  clerk: { password: clerk }\n',
  });
  const servers = [...sides.served.lab.shards.map(({ primary }) => primary), sides.plain.server];
  for (const server of servers) {
    await withSession(server, { database: 'app', password: null }, (session) =>
      session.query(`create role clerk login; grant clerk to app; grant all on schema public, other to clerk;
        grant all on all tables in schema public, other to clerk;
        grant all on all sequences in schema public to clerk`),
    );
  }
});

afterAll(async () => {
  await sides?.stop();
});

const rows = [
  'truncate entry',
  'truncate other.home',
  'truncate home restart identity',
  "insert into entry values (1, 'a'), (2, 'b'), (1000001, 'c'), (1000002, 'd')",
  "insert into home (note) values ('one'), ('two'), ('three')",
  "insert into other.home values (9, 'other')",
];

/** A session, and what it has been told so far that nobody has asked for. */
class Told {
  readonly client: Client;
  readonly notifications: string[] = [];
  readonly parameters = new Map<string, string>();

  constructor(client: Client) {
    this.client = client;
    client.on('error', () => {});
    client.on('notification', ({ channel, payload }) => {
      this.notifications.push(`${channel} ${payload}`);
    });
    const { connection } = client as unknown as {
      connection: { on(event: string, listener: (message: ParameterStatus) => void): void };
    };
    connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
      this.parameters.set(parameterName, parameterValue);
    });
  }

  async say(text: string, name: string | null): Promise<string> {
    const notices: string[] = [];
    const onNotice = ({ message }: { message?: string | undefined }) => notices.push(message ?? '');
    this.client.on('notice', onNotice);
    const query = name === null ? { text } : { text, name, values: [] };
    try {
      const answer = await this.client.query({ ...query, rowMode: 'array' });
      const results = Array.isArray(answer) ? answer : [answer];
      const tags = results.map(
        (each) => `${each.command} ${each.rowCount} ${JSON.stringify(each.rows)}`,
      );
      return [...tags, ...notices].join('; ');
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      return [`${code} ${message}`, ...notices].join('; ');
    } finally {
      this.client.off('notice', onNotice);
    }
  }
}

type ParameterStatus = { readonly parameterName: string; readonly parameterValue: string };

async function connect(config: ClientConfig): Promise<Client> {
  const client = new Client({ database: 'app', ...config });
  await client.connect();
  return client;
}

/** The first difference, with what led to it; null: there was none. */
async function difference(random: Random): Promise<string | null> {
  const { served, plain } = await sides.run(rows);
  expect(served).toEqual(plain);
  const { host, port } = sides.plain.server;
  const options = '-c lock_timeout=300';
  const users = ['app', 'clerk'];
  const open = async (user: string): Promise<readonly [Told, Told]> => {
    const account = { user, password: user, options, application_name: user };
    const ours = new Told(await sides.served.connect(account));
    return [ours, new Told(await connect({ host, port, ...account }))];
  };
  const pairs = [await open('app'), await open('clerk')] as const;
  const said: string[] = [];
  try {
    for (let step = 0; step < steps; step += 1) {
      const index = random.integer(0, 1);
      const text = random.pick(statements);
      const isPrepared = !text.includes(';') && random.integer(0, 3) === 0;
      said.push(`${users[index]}: ${text}${isPrepared ? ' (prepared)' : ''}`);
      const [ours, theirs] = index === 0 ? pairs[0] : pairs[1];
      const name = isPrepared ? text.slice(0, 40) : null;
      const answers = [await ours.say(text, name), await theirs.say(text, name)];
      // From there on they are not in the same state.
      if (/^(0A000|53300)/.test(answers[0] ?? '')) return null;
      if (answers[0] !== answers[1]) return [...said, ...answers].join('\n');
    }
    for (const [ours, theirs] of pairs) {
      await Promise.all([ours.say('rollback', null), theirs.say('rollback', null)]);
      const told = [ours, theirs].map(({ notifications, parameters }) =>
        JSON.stringify([notifications, [...parameters].sort()]),
      );
      if (told[0] !== told[1]) return [...said, ...told].join('\n');
    }
    return null;
  } finally {
    for (const { client } of pairs.flat()) await client.end();
    await sides.served.untilIdle();
  }
}

describe(`random state of two sessions (seed ${firstSeed})`, () => {
  it('is as in one PostgreSQL', { timeout: 600_000 }, async () => {
    const differences: string[] = [];
    for (let seed = firstSeed; seed < firstSeed + seeds && differences.length < 8; seed += 1) {
      const found = await difference(seededRandom(seed));
      if (found !== null) differences.push(`seed ${seed}\n${found}`);
    }
    if (differences.length > 0) throw new Error(differences.join('\n\n'));
    expect(sides.served.run.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
