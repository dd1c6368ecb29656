import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { BothSides, type Seen } from '../support/both-sides.ts';

// Shard a, the home shard, has the ids from 0, b those from 1000000.
let sides: BothSides;

beforeAll(async () => {
  sides = await BothSides.start({
    shards: ['a', 'b'],
    tables: ['account: { distribution: by_id, key: id }', 'country: { reference: true }'],
  });
});

afterAll(async () => {
  await sides?.stop();
});

/** Both sides answer alike. */
async function same(statements: readonly string[]): Promise<readonly Seen[]> {
  const { served, plain } = await sides.run(statements);
  expect(served).toEqual(plain);
  return served;
}

async function refusal(client: Client, text: string): Promise<string> {
  return client.query(text).then(
    () => 'done',
    ({ code, message }: { code: string; message: string }) => `${code} ${message}`,
  );
}

async function onShard(shard: string, sql: string): Promise<readonly unknown[]> {
  const { lab } = sides.served;
  return withSession(lab.shard(shard).primary, lab.login, async (session) => {
    return (await session.query({ text: sql, rowMode: 'array' })).rows.flat();
  });
}

const makeMood = `DO $$ BEGIN
  CREATE TYPE "public"."mood" AS ENUM('sad', 'happy');
EXCEPTION
  WHEN duplicate_object THEN null;
END $$`;

describe('DO', () => {
  it('runs what migrations write on all shards, again and again', async () => {
    await same([
      'create table country (code text primary key)',
      'create table note (id int primary key, body text)',
      makeMood,
      makeMood,
      'create table account (id int primary key, name text)',
      `do $$ begin
        if not exists (select from information_schema.columns
          where table_name = 'account' and column_name = 'mood') then
          alter table account add column mood mood default 'sad';
        end if;
      end $$`,
      "insert into account (id, mood) values (1, 'happy'), (1000001, default)",
      'select * from account order by id',
      'begin',
      "do $$ begin alter type mood rename value 'happy' to 'glad'; end $$",
      'select * from account order by id',
      'rollback',
      'select * from account order by id',
      `do $$ begin
        execute 'alter table account add constraint named check (name <> '''')';
      exception when duplicate_object then null; end $$`,
      "insert into account values (1000002, '')",
    ]);
    for (const shard of ['a', 'b']) {
      expect(
        await onShard(shard, "select conname from pg_constraint where conname = 'named'"),
      ).toEqual(['named']);
    }
    expect(await sides.served.console('SHOW DRIFT')).toEqual([]);
  });

  it('makes whole what one shard has already', async () => {
    await onShard('b', "create type size as enum ('small')");
    const client = await sides.served.connect();
    await client.query(
      "do $$ begin create type size as enum ('small'); exception when duplicate_object then null; end $$",
    );
    expect(await sides.served.console('SHOW DRIFT')).toEqual([]);
    await client.query('drop type size');
    await client.end();
  });

  it('runs on the home shard what uses its tables only', async () => {
    await same([
      "insert into country values ('de'), ('fr')",
      `do $$ declare r record; n int := 0; begin
        for r in select code from country order by code loop
          n := n + 1;
          insert into note values (n, r.code);
        end loop;
        if n <> (select count(*) from note) then raise exception 'lost'; end if;
        create index on note (body);
      end $$`,
      'select * from note order by id',
      "do $$ begin insert into note values (1, 'x'); end $$",
      "do $$ begin raise exception 'own %', 7 using errcode = '22012'; end $$",
      'begin',
      "do $$ begin update note set body = 'y'; end $$",
      'rollback',
      'select * from note order by id',
      'do $$ begin delete from note where id = 2; commit; end $$',
      'select * from note order by id',
    ]);
  });

  it('is refused when it may touch rows of several shards', async () => {
    const client = await sides.served.connect();
    for (const text of [
      "do $$ begin update account set name = 'x'; end $$",
      'do $$ begin perform count(*) from account; end $$',
      "do $$ begin insert into country values ('x'); end $$",
      "do $$ begin execute format('delete from %I', 'account'); end $$",
      'do $$ begin set search_path to nowhere; end $$',
      'do $$ begin create temp table t (id int); end $$',
      'do $$ begin create schema s; insert into note values (9); end $$',
    ]) {
      expect([text, (await refusal(client, text)).slice(0, 5)]).toEqual([text, '0A000']);
    }
    expect(
      await refusal(client, 'do $$ begin alter table account add unique (name); end $$'),
    ).toMatch(/^0A000 table public.account cannot be sharded so/);
    expect((await client.query('select count(*)::int as n from account')).rows).toEqual([{ n: 2 }]);
    await client.end();
  });
});

describe('CALL', () => {
  it('runs procedures that use tables of the home shard', async () => {
    await same([
      `create procedure add_note(in number int, inout body text default 'none') language plpgsql as $$
        begin insert into note values (number, body); body := upper(body); end $$`,
      "call add_note(10, 'ten')",
      'call add_note(11)',
      'call add_note(11)',
      `create procedure add_two(first int) language plpgsql as $$
        declare said text; begin call add_note(first, said); call add_note(first + 1, said); end $$`,
      'call add_two(20)',
      `create procedure wipe() language sql as 'delete from note where id > 15'`,
      'call wipe()',
      'begin',
      'call add_note(30)',
      'rollback',
      'select * from note order by id',
    ]);
    const client = await sides.served.connect();
    const { rows } = await client.query({ text: 'call add_note($1, $2)', values: [40, 'forty'] });
    expect(rows).toEqual([{ body: 'FORTY' }]);
    expect(await refusal(client, 'call nobody(1)')).toMatch(
      /^42883 procedure nobody does not exist/,
    );
    await client.end();
  });

  it('changes all shards when that is all it does', async () => {
    await same([
      `create procedure prepare_accounts() language plpgsql as $$
        begin alter table account add column if not exists extra int default 3; end $$`,
      'call prepare_accounts()',
      'call prepare_accounts()',
      'select extra from account order by id',
    ]);
    expect(await sides.served.console('SHOW DRIFT')).toEqual([]);
  });

  it('is refused when the procedure may touch rows of several shards, at any depth', async () => {
    const client = await sides.served.connect();
    await client.query(
      "create procedure rename_all() language plpgsql as $$ begin update account set name = 'x'; end $$",
    );
    await client.query(
      'create procedure outer_one(n int) language plpgsql as $$ begin if n > 0 then call outer_one(n - 1); end if; call rename_all(); end $$',
    );
    expect(await refusal(client, 'call rename_all()')).toMatch(/^0A000 procedure "rename_all"/);
    expect(await refusal(client, 'call outer_one(1)')).toMatch(/^0A000/);
    await client.query('begin');
    await client.query("create procedure fresh() language sql as 'delete from note'");
    await client.query('call fresh()');
    expect((await client.query('select count(*)::int as n from note')).rows).toEqual([{ n: 0 }]);
    await client.query('rollback');
    await onShard('b', "create or replace procedure wipe() language sql as 'delete from account'");
    await client.query('create table known_now (id int)');
    expect(await refusal(client, 'call wipe()')).toMatch(/^0A000 .*not the same on all shards/);
    await client.end();
  });
});

describe('a function', () => {
  it('is refused where it would find or leave rows of one shard only', async () => {
    const client = await sides.served.connect();
    for (const text of [
      "create function add_account(n int) returns int language sql as 'insert into account (id) values (n) returning id'",
      'create function names() returns setof text language sql begin atomic select name from account; end',
      `create function name_of(n int) returns text language plpgsql stable as $$
        declare found_one text; begin found_one := (select name from account where id = n); return found_one; end $$`,
      'create function named(n int) returns text language plpgsql as $$ begin return upper(name_of(n)); end $$',
      "create function add_country(c text) returns void language sql as 'insert into country values (c)'",
      "create function countries() returns bigint language sql stable as 'select count(*) from country'",
      "create function notes() returns bigint language sql as 'select count(*) from note'",
    ]) {
      await client.query(text);
    }
    for (const text of [
      'select add_account(1000100)',
      'select * from names()',
      'select name_of(1)',
      'select named(1), 2',
      'insert into note (id, body) values (500, named(1))',
      'select name_of(1) from country',
      "select add_country('xx')",
      "select add_country('xx') from account where id = 1",
      'do $$ begin perform add_account(1000100); end $$',
    ]) {
      const told = /^0A000 (DO: )?function \w+, which/.test(await refusal(client, text));
      expect([text, told]).toEqual([text, true]);
    }
    const rows = async (text: string) =>
      (await client.query({ text, rowMode: 'array' })).rows.flat();
    expect(await rows('select add_account(id + 100) from account where id = 1000001')).toEqual([
      1000101,
    ]);
    expect(await rows('select id from account where id = 1000101')).toEqual([1000101]);
    const [countries] = await rows('select count(*) from country');
    expect(await rows('select countries()')).toEqual([countries]);
    expect(await rows('select notes()')).toEqual(await rows('select count(*) from note'));
    await client.query('begin');
    await client.query(
      "create or replace function notes() returns bigint language sql as 'select count(*) from account'",
    );
    expect(await refusal(client, 'select notes()')).toMatch(/^0A000 function notes, which/);
    await client.query('rollback');
    expect(await refusal(client, 'select notes()')).toBe('done');
    await client.end();
  });
});
