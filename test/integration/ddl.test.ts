import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSchemaObjects, type SchemaObject } from '../../src/cluster/drift/schema-objects.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import { BothSides, type Seen } from '../support/both-sides.ts';

// Shard a, the home shard, has the ids from 0, b those from 1000000, c those from 2000000.
let sides: BothSides;
const shards = ['a', 'b', 'c'];

beforeAll(async () => {
  sides = await BothSides.start({
    shards,
    tables: [
      'account: { distribution: by_id, key: id }',
      'line: { distribution: by_id, key: account_id }',
      'part: { distribution: by_id, key: id }',
      'country: { reference: true }',
    ],
  });
});

afterAll(async () => {
  await sides?.stop();
});

function objectsOf(server: PostgresServer): Promise<readonly SchemaObject[]> {
  return withSession(server, sides.served.lab.login, async (session) => {
    await session.query('set search_path to pg_catalog');
    const query = async (sql: string, values: readonly string[]) =>
      (await session.query(sql, [...values])).rows;
    return readSchemaObjects({ query }, []);
  });
}

/** Increments and starts of sequences are the shards' own, and not among these. */
const lines = (objects: readonly SchemaObject[], isWanted: (object: SchemaObject) => boolean) =>
  objects.filter(isWanted).map(({ kind, name, definition }) => `${kind} ${name}: ${definition}`);

/** The home shard is as the plain server, the others too but for what only the home shard has. */
async function demandSame(homeOnly: readonly string[] = []): Promise<void> {
  const plain = await objectsOf(sides.plain.server);
  for (const shard of shards) {
    const found = await objectsOf(sides.served.lab.shard(shard).primary);
    const isHere = ({ relation }: SchemaObject) =>
      shard === 'a' || relation === null || !homeOnly.includes(relation);
    expect([shard, lines(found, () => true)]).toEqual([shard, lines(plain, isHere)]);
  }
}

/** Both sides answer alike. */
async function same(statements: readonly string[]): Promise<readonly Seen[]> {
  const { served, plain } = await sides.run(statements);
  expect(served).toEqual(plain);
  return served;
}

async function refusal(client: Client, text: string): Promise<string> {
  const error = await client.query(text).then(
    () => null,
    (thrown: { code: string; message: string }) => thrown,
  );
  return error === null ? 'done' : `${error.code} ${error.message}`;
}

describe('DDL', () => {
  it('makes the same on all shards', async () => {
    await same([
      "create type mood as enum ('sad', 'happy')",
      'create domain positive as int check (value > 0)',
      'create table country (code text primary key, name text)',
      `create table account (id int primary key, mood mood default 'sad', size positive,
        country text references country, made timestamptz default now())`,
      `create table line (id int, account_id int references account on delete cascade, note text,
        primary key (account_id, id))`,
      'create table note (id serial primary key, body text)',
      'create index on line (note)',
      'create unique index line_note on line (account_id, note)',
      'alter table account add column vip boolean not null default false, add check (size < 100)',
      'alter table account rename column vip to is_vip',
      "alter type mood add value 'angry' after 'sad'",
      'create view rich as select a.id, l.note from account a join line l on l.account_id = a.id',
      'create view notes as select n.body from note n',
      'create function twice(int) returns int language sql immutable as $$ select $1 * 2 $$',
      `create function stamp() returns trigger language plpgsql as $$
        begin new.note := coalesce(new.note, 'none'); return new; end $$`,
      'create trigger stamped before insert on line for each row execute function stamp()',
      'create sequence loose as int',
      'create schema shop',
      'create role clerk',
      'grant usage on schema shop to clerk',
      'grant select on account, note to clerk',
      'alter default privileges in schema shop grant select on tables to clerk',
      'alter table line enable row level security',
      'create policy all_rows on line using (true)',
      "comment on table account is 'who pays'",
      'create aggregate total(int) (sfunc = int4pl, stype = int, initcond = 0)',
    ]);
    await demandSame(['public.note', 'public.notes', 'public.note_id_seq']);
  });

  it('is known to all sessions when it has been answered', async () => {
    const [one, other] = await Promise.all([sides.served.connect(), sides.served.connect()]);
    for (let round = 0; round < 5; round += 1) {
      await one.query(`alter table account add column c${round} int default ${round}`);
      const { rows } = await other.query(
        `insert into account (id) values (${round}), (${1_000_000 + round}) returning c${round}`,
      );
      expect(rows).toHaveLength(2);
      const all = await other.query('select * from account order by id');
      expect(all.fields.map(({ name }) => name)).toContain(`c${round}`);
    }
    for (let round = 0; round < 5; round += 1) {
      await one.query(`alter table account drop column c${round}`);
    }
    await one.query('delete from account');
    await Promise.all([one.end(), other.end()]);
  });

  it('is a part of the transaction, with its savepoints', async () => {
    await same([
      'begin',
      'create table part (id int primary key, body text)',
      "insert into part values (1, 'one'), (1000001, 'two'), (2000001, 'three')",
      'savepoint s',
      'alter table part add column extra int default 7',
      'select * from part order by id',
      'update part set extra = id where id > 1000000',
      'rollback to s',
      'select * from part order by id',
      'create index part_body on part (body)',
      'commit',
      'select * from part order by id',
    ]);
    await demandSame(['public.note', 'public.notes', 'public.note_id_seq']);
    await same(['begin', 'drop table part', 'rollback', 'select count(*) from part']);
    await same(['begin', 'alter table part add column id int', 'select 1', 'rollback']);
    const count = async (shard: string) =>
      withSession(
        sides.served.lab.shard(shard).primary,
        sides.served.lab.login,
        async (session) => {
          return (await session.query('select count(*)::int as n from part')).rows[0]?.n;
        },
      );
    expect(await Promise.all(shards.map(count))).toEqual([1, 1, 1]);
  });

  it('says a notice once, and an error as PostgreSQL does', async () => {
    const answers = await same([
      'create table if not exists part (id int)',
      'create table part (id int)',
      'alter table part add column body int',
      'drop index part_body_not',
      'drop table part_not, part',
      'alter table part_not add column x int',
      'lock table part',
      'begin; lock table part; commit',
      'begin; vacuum part',
      'rollback',
    ]);
    expect(answers).toHaveLength(10);
    const client = await sides.served.connect();
    const notices: string[] = [];
    client.on('notice', ({ message = '' }) => notices.push(message));
    await client.query('create table if not exists part (id int)');
    await client.query('drop index if exists part_body_not');
    expect(notices).toEqual([
      'relation "part" already exists, skipping',
      'index "part_body_not" does not exist, skipping',
    ]);
    await client.end();
  });

  it('is refused where it could not hold over shards, and leaves nothing', async () => {
    const client = await sides.served.connect();
    expect(await refusal(client, 'create unique index on part (body)')).toMatch(
      /^0A000 table public.part cannot be sharded so: unique index part_body_idx does not contain/,
    );
    expect(await refusal(client, 'create unique index concurrently on part (body)')).toMatch(
      /^0A000/,
    );
    expect(await refusal(client, 'alter table part add unique (body)')).toMatch(/^0A000/);
    expect(await refusal(client, 'alter table part drop column id')).toMatch(
      /^0A000 .*the key column id does not exist/,
    );
    expect(await refusal(client, 'alter table part alter id type bigint')).toMatch(
      /^0A000 .*the key column id is of type int8/,
    );
    expect(await refusal(client, 'alter table part rename id to key')).toMatch(/^0A000/);
    expect(await refusal(client, 'alter table part rename to parts')).toMatch(/^0A000/);
    expect(await refusal(client, 'alter table note rename to entry')).toMatch(/^0A000/);
    expect(await refusal(client, 'create table entry (name text)')).toMatch(/^0A000/);
    expect(await refusal(client, 'create table entry (id int, name text unique)')).toMatch(
      /^0A000/,
    );
    expect(
      await refusal(client, 'create table entry (id int primary key, note_id int references note)'),
    ).toMatch(/^0A000 a sharded table cannot refer to "note"/);
    expect(
      await refusal(client, 'create table entry (id int primary key, a int references account)'),
    ).toMatch(/^0A000 .*foreign key entry_a_fkey refers to public.account/);
    expect(await refusal(client, 'create table mine (id int references account)')).toMatch(
      /^0A000 a table of the home shard cannot refer to the distributed table "account"/,
    );
    expect(await refusal(client, 'create table entry as select 1 as id')).toMatch(/^0A000/);
    expect(await refusal(client, 'create materialized view m as select * from account')).toMatch(
      /^0A000/,
    );
    expect(await refusal(client, 'create database other')).toMatch(/^0A000/);
    await client.query('begin');
    expect(await refusal(client, 'alter table part add unique (body)')).toMatch(/^0A000/);
    expect(await refusal(client, 'select 1')).toMatch(/^25P02/);
    await client.query('rollback');
    await client.end();
    await demandSame(['public.note', 'public.notes', 'public.note_id_seq']);
  });

  it('undoes all of it when a shard refuses', async () => {
    const client = await sides.served.connect();
    await client.query("insert into part values (1000002, 'two')");
    const text = 'alter table part add constraint bodies exclude (id with =, body with =)';
    expect(await refusal(client, text)).toBe('done');
    await client.query('alter table part drop constraint bodies');
    const error = await client
      .query("alter table part add check (body <> 'two')")
      .catch((thrown: { code: string; where?: string }) => thrown);
    expect(error).toMatchObject({ code: '23514', where: 'shard "b"' });
    await client.query('delete from part where id = 1000002');
    await client.end();
    await demandSame(['public.note', 'public.notes', 'public.note_id_seq']);
  });

  it('does not wait for who changes another table that a view reads, too', async () => {
    await same(['create view together as select p.body, c.name from part p, country c']);
    const { primary } = sides.served.lab.shard('a');
    await withSession(primary, sides.served.lab.login, async (changing) => {
      await changing.query('begin; lock table country');
      const client = await sides.served.connect();
      const altering = client.query('alter table part add column meanwhile int');
      const added =
        "select from pg_attribute where attrelid = 'part'::regclass and attname = 'meanwhile'";
      await sides.served.until('it to be done', async () => {
        return (await changing.query(added)).rowCount === 1;
      });
      // That all know of it before its answer may wait: the view reads what has changed.
      await changing.query('rollback');
      await altering;
      await client.end();
    });
    await same(['drop view together', 'alter table part drop column if exists meanwhile']);
  });

  it('runs in the extended protocol, and in one message with what follows', async () => {
    const client = await sides.served.connect();
    await client.query({ text: 'alter table part add column wide text', name: 'ddl' });
    await client.query(
      "alter table part add column long int default 3; insert into part (id, wide) values (5, 'w'), (1000005, 'x')",
    );
    const { rows } = await client.query(
      'select wide, long from part where wide is not null order by id',
    );
    expect(rows).toEqual([
      { wide: 'w', long: 3 },
      { wide: 'x', long: 3 },
    ]);
    expect(
      await refusal(
        client,
        'alter table part drop column long; insert into part (id) values (5), (null)',
      ),
    ).toMatch(/^23502/);
    expect((await client.query('select long from part where id = 5')).rows).toEqual([{ long: 3 }]);
    await client.query(
      'delete from part where wide is not null; alter table part drop column long, drop column wide',
    );
    await client.end();
    await same(['select * from part order by id']);
  });

  it('maintains tables on all shards', async () => {
    await same([
      'create index concurrently part_id on part (id, body)',
      'reindex index concurrently part_id',
      'reindex table part',
      'vacuum part',
      'vacuum (analyze) part, note',
      'analyze',
      'cluster part using part_id',
      'drop index concurrently part_id',
      'begin; create index concurrently part_id on part (id, body)',
      'rollback',
    ]);
    await demandSame(['public.note', 'public.notes', 'public.note_id_seq']);
  });

  it('says how far it has come when it is not one transaction', async () => {
    const client = await sides.served.connect();
    const { primary } = sides.served.lab.shard('c');
    await withSession(primary, sides.served.lab.login, (session) =>
      session.query('create index stray on part (body)'),
    );
    const error = await client
      .query('create index concurrently stray on part (body)')
      .catch((thrown: { code: string; detail: string; hint: string }) => thrown);
    expect(error).toMatchObject({
      code: '42P07',
      detail: expect.stringContaining('done on "a", "b"; failed on "c"'),
      hint: expect.stringContaining('DROP INDEX CONCURRENTLY IF EXISTS'),
    });
    await client.query('drop index concurrently if exists stray');
    await client.end();
    await demandSame(['public.note', 'public.notes', 'public.note_id_seq']);
  });

  it('leaves no drift, and what is changed on a server itself is shown as drift', async () => {
    const { served } = sides;
    const onServer = (shard: string, sql: string) =>
      withSession(served.lab.shard(shard).primary, served.lab.login, (session) =>
        session.query(sql),
      );
    expect(await served.console('SHOW DRIFT')).toEqual([]);
    expect(await served.metric('pgweave_schema_drift')).toBe(0);
    await onServer(
      'b',
      'create index odd on part (body); alter table line drop column note cascade',
    );
    await onServer('c', 'create table loose_end (id int primary key)');
    await onServer('a', "create type odd as enum ('one')");
    const found = await served.console('SHOW DRIFT');
    expect(found.map(({ kind, name, shards }) => `${kind} ${name} on ${shards}`)).toEqual([
      'column public.line.note on b',
      'index public.line_note on b',
      'index public.line_note_idx on b',
      'type public.odd on b, c',
      'view public.rich on b',
      'index public.odd on a, c',
      'table public.loose_end on c',
    ]);
    expect(found[3]).toMatchObject({
      difference: 'does not exist, on a it does',
      remedy: 'create it on b, c, or drop it elsewhere',
    });
    expect(await served.metric('pgweave_schema_drift')).toBe(7);
    await onServer('a', 'drop type odd');
    await onServer('c', 'drop table loose_end');
    await onServer('b', 'drop index odd; alter table line add column note text');
    await onServer('b', 'create index on line (note)');
    await onServer('b', 'create unique index line_note on line (account_id, note)');
    await onServer(
      'b',
      'create view rich as select a.id, l.note from account a join line l on l.account_id = a.id',
    );
    await onServer('b', 'alter view rich owner to app; alter index line_note_idx owner to app');
    expect(await served.console('SHOW DRIFT')).toEqual([]);
  });

  it('drops what it has made', async () => {
    await same([
      'drop view rich, notes',
      'drop table line, note, account',
      'drop sequence loose',
      'drop function twice(int)',
      'drop function stamp()',
      'drop table part, country',
      'drop type mood',
      'drop domain positive',
      'drop aggregate total(int)',
      'drop schema shop cascade',
      'drop owned by clerk',
      'drop role clerk',
    ]);
    await demandSame();
  });
});
