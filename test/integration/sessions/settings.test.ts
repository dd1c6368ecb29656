import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../../src/lab/sql.ts';
import { BothSides } from '../../support/both-sides.ts';

let sides: BothSides;

const schema = `
  create table entry (id int primary key, tenant text, note text);
  create schema shop; create table shop.entry (id int, other text);
  alter table entry enable row level security;
  alter table entry force row level security;
  create policy own on entry using (tenant = current_setting('app.tenant', true));
  grant usage on schema shop to public`;

beforeAll(async () => {
  const limits = 'server_connections_max: 3';
  sides = await BothSides.start({ shards: ['a', 'b'], schema, workers: 1, limits });
  const { plain: one, served: several } = sides;
  for (const server of [one.server, ...several.lab.shards.map(({ primary }) => primary)]) {
    const sql = 'create role clerk; grant clerk to app; grant all on entry to clerk';
    const login = { database: 'app', password: null };
    await withSession(server, login, (session) => session.query(sql));
  }
  const rows = ['red', 'blue'].flatMap((tenant, index) => [
    `set app.tenant to ${tenant}`,
    `insert into entry values (${index}, '${tenant}', 'n'), (${1_000_000 + index}, '${tenant}', 'f')`,
  ]);
  const { served, plain } = await sides.run(rows);
  expect(served).toEqual(plain);
});

afterAll(async () => {
  await sides?.stop();
});

async function same(statements: readonly string[]): Promise<void> {
  const { served, plain } = await sides.run(statements);
  expect(served).toEqual(plain);
}

type Statuses = {
  on(
    event: 'parameterStatus',
    listener: (status: { parameterName: string; parameterValue: string }) => void,
  ): void;
};

const startSql = `select current_setting('TimeZone') as "TimeZone",
  current_setting('DateStyle') as "DateStyle"`;
const everyone = 'select id, tenant from entry order by id';
const grouped = 'select note, count(distinct tenant) from entry group by note order by 1';

describe('set_config()', () => {
  it.each([
    ['a literal', "select set_config('app.tenant', 'red', false)"],
    ['a computed value', "select set_config('app.tenant', 'r' || lower('ED'), false) as tenant"],
    [
      'several',
      "select set_config('app.tenant', 'blue', false), set_config('work_mem', '4096kB', false)",
    ],
    ['NULL', "select set_config('app.tenant', null, false)"],
    ['under CASE', "select case when 1 = 2 then set_config('app.tenant', 'red', false) end"],
    ['one that fails', "select set_config('work_mem', 'much', false)"],
    ['of the search path', "select set_config('search_path', 'shop, public', false)"],
    ['of a role', "select set_config('role', 'clerk', false)"],
  ])('is followed by every shard: %s', async (_, call) => {
    await same([
      "set app.tenant to 'none'",
      call,
      "select current_setting('app.tenant', true), current_setting('work_mem'), current_user",
      everyone,
      grouped,
      'select id from entry where id = 1000000',
      'begin',
      'select id from entry where id = 1000001',
      call,
      everyone,
      'rollback',
      everyone,
      'discard all',
      'select current_user',
      everyone,
    ]);
  });

  it('is local to a transaction if asked', async () => {
    await same([
      "select set_config('app.tenant', 'red', true)",
      everyone,
      'begin',
      "select set_config('app.tenant', 'red', true)",
      everyone,
      grouped,
      'savepoint s',
      "select set_config('app.tenant', 'blue', true)",
      everyone,
      'rollback to s',
      everyone,
      'commit',
      everyone,
      "begin; select set_config('app.tenant', 'blue', true); select id from entry order by id; commit",
      everyone,
    ]);
  });

  it('takes parameters', async () => {
    const answers = [];
    for (const client of [await sides.served.connect(), await sides.connectPlain()]) {
      const seen = [];
      for (const tenant of ['red', 'blue']) {
        const set = await client.query('select set_config($1, $2, $3) as now', [
          'app.tenant',
          tenant,
          false,
        ]);
        seen.push(set.rows, (await client.query(everyone)).rows);
      }
      answers.push(seen);
      await client.end();
    }
    expect(answers[0]).toEqual(answers[1]);
  });

  it('takes a name that the only condition gives a column, as pg_dump does', async () => {
    const of = (name: string) =>
      `select set_config(name, '4321kB', false) from pg_settings where name = '${name}'`;
    await same([
      "set app.tenant to 'red'",
      of('work_mem'),
      of('no_such_setting'),
      'show work_mem',
      "select id, current_setting('work_mem') from entry order by id",
      "select current_setting('work_mem') from entry where id = 1000000",
    ]);
    const { served } = await sides.run([
      "select set_config(name, '1MB', false) from pg_settings where name like 'work%'",
      "select set_config(name, '1MB', false) from pg_settings where name = 'a' or name = 'work_mem'",
      "select (select set_config(name, '1MB', false) from (select 'x' as name) s) from pg_settings where name = 'work_mem'",
      "select set_config(s.name, '1MB', false) from pg_settings s, pg_class where s.name = 'work_mem'",
    ]);
    for (const answer of served)
      expect(answer).toHaveProperty('error', expect.stringMatching(/^0A000/));
  });

  it('is refused where it cannot be followed', async () => {
    const { served } = await sides.run([
      "select set_config(note, 'x', false) from entry where id = 1",
      "select set_config('synchronous_commit', 'off', false)",
      'show synchronous_commit',
      "select set_config('app.tenant', 'red', false), pg_advisory_lock(1)",
      "create table made as select set_config('app.tenant', 'red', false)",
      "copy (select set_config('app.tenant', 'red', false)) to stdout",
      "explain analyze select set_config('app.tenant', 'red', false)",
      "declare c cursor with hold for select set_config('app.tenant', 'red', false)",
    ]);
    const codes = served.map((answer) => ('error' in answer ? answer.error.slice(0, 5) : 'none'));
    expect(codes).toEqual(['0A000', '0A000', 'none', '0A000', '0A000', '0A000', '0A000', '0A000']);
  });
});

describe('a setting that one session has made and cannot be taken back', () => {
  it('is refused, and none of the next sessions hears of it', async () => {
    const { served } = await sides.run([
      'set seed to 0.5',
      'set local exit_on_error to on',
      "select set_config('seed', '0.5', false)",
      'set exit_on_error to off',
    ]);
    const codes = served.map((answer) => ('error' in answer ? answer.error.slice(0, 5) : 'none'));
    expect(codes).toEqual(['0A000', '0A000', '0A000', 'none']);
    const options = '-c transaction_read_only=on -c transaction_isolation=serializable';
    const level = 'show transaction_isolation';
    for (const client of [
      await sides.served.connect({ options }),
      ...(await Promise.all([1, 2, 3].map(() => sides.served.connect()))),
    ]) {
      expect((await client.query(level)).rows).toEqual([
        { transaction_isolation: 'read committed' },
      ]);
      await client.end();
    }
  });

  it('as another role does not disturb who may not', async () => {
    for (const server of sides.served.lab.shards.map(({ primary }) => primary)) {
      const login = { database: 'app', password: null };
      await withSession(server, login, (session) =>
        session.query('grant set on parameter log_min_duration_statement to clerk'),
      );
    }
    const logged = ['set role clerk', 'set log_min_duration_statement to 600000', everyone];
    for (let round = 0; round < 3; round += 1) {
      const { served } = await sides.run(logged);
      expect(served.filter((answer) => 'error' in answer)).toEqual([]);
      const [next] = (await sides.run([everyone, 'show log_min_duration_statement'])).served;
      expect(next).not.toHaveProperty('error');
    }
  });
});

describe('SET TRANSACTION', () => {
  it('takes several properties at once', async () => {
    const shown = ['transaction_isolation', 'transaction_read_only', 'transaction_deferrable'];
    await same([
      "set app.tenant to 'red'",
      'begin',
      'set transaction isolation level repeatable read, read only',
      ...shown.map((name) => `show ${name}`),
      "update entry set note = 'x' where id = 0",
      'rollback',
      'begin',
      'set transaction isolation level repeatable read, read only',
      `select ${shown.map((name) => `current_setting('${name}') as ${name}`)} from entry where id = 1000000`,
      "update entry set note = 'x' where id = 1000000",
      'rollback',
      'begin',
      'select id from entry where id = 0',
      'set transaction read only, deferrable',
      ...shown.map((name) => `show ${name}`),
      "update entry set note = 'x' where id = 0",
      'rollback',
      ...shown.map((name) => `show ${name}`),
    ]);
  });
});

describe('SET TIME ZONE', () => {
  it('takes an interval, as some drivers write it', async () => {
    const moment = "timestamptz '2024-01-05 17:30:00+00'";
    await same([
      "set app.tenant to 'red'",
      ...["'-08:00'", "'+00:00'", "'05:30'"].flatMap((interval) => [
        `set time zone interval ${interval} hour to minute`,
        'show timezone',
        `select id, ${moment}::text from entry order by id`,
        `select ${moment}::text from entry where id = 1000000`,
      ]),
      "begin; set local time zone interval '-03:00' hour to minute",
      `select ${moment}::text from entry where id = 0`,
      'commit',
      'show timezone',
    ]);
  });
});

describe('identity', () => {
  it('is followed by every shard', async () => {
    await same([
      "set app.tenant to 'red'",
      'set role clerk',
      'select current_user, session_user',
      everyone,
      'select current_user from entry where id = 1000000',
      'reset role',
      'select current_user',
      'begin',
      'set local role clerk',
      'select current_user from entry where id = 1000000',
      'select current_user from entry where id = 0',
      'commit',
      'select current_user',
      'set session authorization app',
      'select session_user, current_user',
      'set role clerk',
      'reset session authorization',
      'select session_user, current_user',
      'set session authorization nobody_at_all',
    ]);
  });
});

describe('what the client is told of its settings', () => {
  /** What ParameterStatus has said after each statement. */
  async function told(
    connect: () => ReturnType<BothSides['connectPlain']>,
    statements: readonly string[],
  ) {
    const client = await connect();
    await client.query("set application_name to 'the test'");
    const [start] = (await client.query(startSql)).rows;
    const known = new Map<string, unknown>(Object.entries(start));
    const found: unknown[] = [];
    const { connection } = client as unknown as { connection: Statuses };
    connection.on('parameterStatus', ({ parameterName, parameterValue }) =>
      // What a session without one has is pgweave's there.
      known.set(parameterName, parameterValue.replace(/^pgweave$/, '')),
    );
    for (const statement of statements) {
      await client.query(statement).catch(() => {});
      // They follow an error.
      await sleep(2);
      found.push([statement, ...known]);
    }
    await client.end();
    return found;
  }

  it.each([
    [
      [
        'set timezone to utc',
        "set datestyle to 'german'",
        'reset timezone',
        'reset all',
        'discard all',
      ],
    ],
    [['begin', "set timezone to 'Asia/Tokyo'", 'rollback', 'show timezone']],
    [
      [
        'begin',
        "set local timezone to 'Asia/Tokyo'",
        'select id from entry where id = 1000000',
        'commit',
      ],
    ],
    [
      [
        'begin',
        "set timezone to 'Asia/Tokyo'",
        'savepoint s',
        'set timezone to utc',
        'rollback to s',
        'commit',
      ],
    ],
    [['begin', "set application_name to 'x'", 'select 1/0', 'rollback']],
    [
      [
        "select set_config('TimeZone', 'Asia/Tokyo', false)",
        'begin; set timezone to utc; select 1/0',
      ],
    ],
    [["begin; set local datestyle to 'sql'; insert into shop.entry values (1, 'x'); commit"]],
  ])('is what one PostgreSQL says: %s', async (statements) => {
    const served = await told(() => sides.served.connect(), statements);
    expect(served).toEqual(await told(() => sides.connectPlain(), statements));
  });

  it('is what the shards know, too', async () => {
    const client = await sides.served.connect({
      application_name: 'the shop',
      options: '-c app.tenant=red -c work_mem=5MB',
    });
    const seen = await client.query(
      "select current_setting('application_name') as name, current_setting('work_mem') as mem from entry order by id",
    );
    expect(seen.rows).toEqual([
      { name: 'the shop', mem: '5MB' },
      { name: 'the shop', mem: '5MB' },
    ]);
    await client.query("set application_name to 'the other shop'");
    await client.query('begin');
    await client.query('select id from entry where id = 1000000');
    const names = await client.query(
      "select application_name from pg_stat_activity where application_name like 'the %' and pid = pg_backend_pid()",
    );
    expect(names.rows).toEqual([{ application_name: 'the other shop' }]);
    await client.end();
  });
});
