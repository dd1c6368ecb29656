import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { type PlainPostgres, startPlainPostgres } from '../support/lab.ts';
import { ServedCluster } from '../support/served-cluster.ts';
import { type WireAnswer, WireClient, type WireRequest } from '../support/wire-client.ts';

/** Each column: its type, and two values that are easy to lose. */
const columns: readonly (readonly [type: string, ...values: string[]])[] = [
  ['smallint', '-32768', '7'],
  ['integer', '2147483647', '-1'],
  ['bigint', '-9223372036854775808', '1'],
  ['numeric', '1.500', "'NaN'"],
  ['numeric(12,3)', '-0.125', '123456789.001'],
  ['real', '0.1', "'-Infinity'"],
  ['double precision', '0.30000000000000004', '1e-320'],
  ['money', "'-1,234.56'", '7'],
  ['boolean', 'true', 'false'],
  ['text', 'e\'tab\\t, "quote", back\\\\slash, {brace}, NULL\'', "''"],
  ['text collate "C"', "'B'", "'a'"],
  ['text collate "de-x-icu"', "'ä'", "'Z'"],
  ['character varying', "'NULL'", "' x '"],
  ['character varying(5)', "'12345'", "''"],
  ['character(5)', "'ab'", "''"],
  ['bpchar', "'ab  '", "''"],
  ['"char"', "'x'", "'\\200'"],
  ['name', "'Some Name'", "''"],
  ['bytea', "'\\x00ff5c7d'", "''"],
  ['bit(3)', "B'101'", "B'000'"],
  ['bit varying', "B'1'", "B''"],
  ['bit varying(9)', "B'10101'", "B''"],
  ['date', "'infinity'", "'0044-03-15 BC'"],
  ['time', "'24:00:00'", "'00:00:00.000001'"],
  ['time(2)', "'11:12:13.14'", "'00:00'"],
  ['time with time zone', "'11:12:13+05:45'", "'00:00-12'"],
  ['timestamp', "'-infinity'", "'1999-12-31 23:59:59.999999'"],
  ['timestamp(1)', "'2000-01-01 00:00:00.1'", "'infinity'"],
  ['timestamp with time zone', "'2020-06-01 00:00+02'", "'0001-01-01 BC'"],
  ['interval', "'1 mon -2 days 3:04:05.678'", "'-infinity'"],
  ['interval day to second(3)', "'1 day 00:00:01.234'", "'0'"],
  ['uuid', "'00000000-0000-0000-0000-00000000000f'", "'ffffffff-0000-4000-8000-000000000000'"],
  ['json', `'{"b": 1,  "a": [1, null], "b": 2}'`, "'null'"],
  ['jsonb', `'{"b": "\\u00e9", "a": [1.0, null]}'`, "'[]'"],
  ['inet', "'10.0.0.1/8'", "'::1'"],
  ['cidr', "'10.0.0.0/8'", "'::/0'"],
  ['macaddr', "'08:00:2b:01:02:03'", "'ff:ff:ff:ff:ff:ff'"],
  ['point', "'(0.1,1e300)'", "'(0,-0)'"],
  ['path', "'[(0,0),(1,1.1)]'", "'((0,0),(1,1))'"],
  ['oid', '4294967295', '0'],
  ['regtype', "'integer'", '\'pg_catalog."char"\''],
  ['regclass', "'entry'", "'-'"],
  ['tsvector', "'a:1A b:2'", "''"],
  ['tsquery', "'a & !b'", "'a <-> b'"],
  ['int4range', "'[1,5)'", "'empty'"],
  ['numrange', "'[1.50,)'", "'(,)'"],
  ['tstzrange', "'[2020-01-01 00:00+00,infinity)'", "'empty'"],
  ['datemultirange', "'{[2020-01-01,2020-02-01),[2021-01-01,)}'", "'{}'"],
  ['integer[]', "'{1,NULL,-3}'", "'{}'"],
  ['text[]', `array['a,b', 'NULL', '', null, '"q"', '\\']`, "'{}'"],
  ['character varying(3)[]', "'{abc,d}'", "'[0:1]={x,y}'"],
  ['numeric(6,2)[]', "'{{1.10,2},{3,NULL}}'", "'{NULL}'"],
  ['mood', "'it''s ok'", "'A b'"],
  ['mood[]', "array['it''s ok']::mood[]", "'{}'"],
  ['"Other Place"."Mood"', "'x'", "'y'"],
  ['positive', '3', 'null'],
  ['certain', "'yes'", "'no'"],
  ['pair', `row(1, 'a "b", (c)', 'A b', 0.1)`, `row(null, '', null, null)`],
  ['pair[]', `array[row(1, 'x,y', 'A b', 0.1)::pair]`, "'{}'"],
  ['floatrange', "'[0.1,0.30000000000000004)'", "'empty'"],
];

const names = columns.map((_, index) => `k${index}`);
const definitions = columns.map(([type], index) => `k${index} ${type}`);
const schema = `
  do $$ begin
    -- OIDs of what follows differ between servers.
    for i in 1 .. current_setting('port')::int % 89 loop
      execute format('create type filler_%s as enum ()', i);
    end loop;
  end $$;
  create schema "Other Place";
  create type "Other Place"."Mood" as enum ('y', 'x');
  create type mood as enum ('it''s ok', 'A b');
  create domain positive as integer check (value > 0);
  create domain certain as varchar(4) not null;
  create type pair as (a int, b text, c mood, d float8);
  create type floatrange as range (subtype = float8);
  create table entry (id int primary key, ${definitions.join(', ')})`;

const row = (id: number, place: number) =>
  `insert into entry values (${id}, ${columns.map((column) => column[place]).join(', ')})`;
const nulls = (id: number) =>
  `insert into entry values (${id}, ${columns.map(([type]) => (type === 'certain' ? "''" : 'null')).join(', ')})`;
/** Ids below 1000000 are on shard a. */
const rowsOfShards = [
  [row(1, 1), nulls(2)],
  [row(1_000_001, 2), nulls(1_000_002), row(1_000_003, 1)],
];

let served: ServedCluster;
let plain: PlainPostgres;
let client: WireClient;
let reference: WireClient;

beforeAll(async () => {
  const limits = 'gather_bytes_max: 1MB';
  const shards = ['a', 'b'];
  served = await ServedCluster.start({ shards, schema, limits, more: 'authentication: trust' });
  plain = await startPlainPostgres({ schema });
  for (const [index, name] of shards.entries()) {
    await withSession(served.lab.shard(name).primary, served.lab.login, async (session) => {
      for (const sql of rowsOfShards[index] ?? []) await session.query(sql);
    });
  }
  const { server } = plain;
  const login = { user: 'app', database: 'app' };
  client = await WireClient.connect({ host: '127.0.0.1', port: served.port, ...login });
  reference = await WireClient.connect({ host: server.host, port: server.port, ...login });
  for (const sql of rowsOfShards.flat()) {
    const answer = await reference.request({ protocol: 'simple', text: sql });
    if (answer.error !== null) throw new Error(`${answer.error.message}: ${sql}`);
  }
});

afterAll(async () => {
  client?.close();
  reference?.close();
  await plain?.stop();
  await served?.stop();
});

function extended(text: string, binaryResults: boolean, rowsPerFetch = 0): WireRequest {
  const rest = { name: '', typeOids: [], values: [], binaryResults, rowsPerFetch };
  return { protocol: 'extended', text, ...rest };
}

/** What must be equal: OIDs of types that users made are each server's own. */
function comparable({ results, error, status }: WireAnswer) {
  const own = (typeOid: number) => (typeOid >= 16_384 ? 'made by a user' : typeOid);
  return {
    status,
    error: error && [error.sqlState, error.message],
    results: results.map(({ columns: described, rows, tag }) => ({
      columns: described?.map((column) => ({ ...column, typeOid: own(column.typeOid) })),
      rows: rows.map((values) => values.map((value) => value?.toString('latin1') ?? null)),
      tag,
    })),
  };
}

async function expectSame(request: WireRequest): Promise<void> {
  const answer = comparable(await client.request(request));
  expect(answer).toEqual(comparable(await reference.request(request)));
  expect(answer.error).toBeNull();
}

const moodColumn = `k${columns.findIndex(([type]) => type === 'mood')}`;
// A window over all rows: they must be gathered.
const everything = (list: readonly string[]) =>
  `select ${list.join(', ')}, row_number() over (order by id) from entry order by id`;
const except = (...types: readonly string[]) =>
  names.filter((_, index) => !types.includes(columns[index]?.[0] ?? ''));

describe('columns of every type, gathered', () => {
  it('are as one PostgreSQL has them: values, types and their modifiers', async () => {
    await expectSame({ protocol: 'simple', text: everything(names) });
    await expectSame(extended(everything(names), false));
    await expectSame(extended(everything(names), false, 2));
  });

  it('are the same bytes in binary format where no OID is in the value', async () => {
    await expectSame(extended(everything(except('pair', 'pair[]', 'mood[]', 'regclass')), true));
  });

  it('in binary format have the OIDs of the server that described them', async () => {
    const home = served.lab.shard('a').primary;
    const moods = (host: WireClient) => host.request(extended('select $$A b$$::mood', true));
    const direct = await WireClient.connect({
      host: home.host,
      port: home.port,
      user: 'app',
      database: 'app',
    });
    const described = (await moods(direct)).results[0]?.columns?.[0]?.typeOid;
    direct.close();
    for (let round = 0; round < 4; round++) {
      const answer = await client.request(extended(everything([moodColumn]), true));
      expect(answer.error).toBeNull();
      expect(answer.results[0]?.columns?.[0]?.typeOid).toBe(described);
    }
  });

  it('have their own types where they are read; only NOT NULL of a domain is left out', async () => {
    const types = except('certain').map((name) => `pg_typeof(${name})::text`);
    await expectSame({ protocol: 'simple', text: everything(types) });
  });

  it.each(
    ['text', 'text collate "C"', 'text collate "de-x-icu"', 'mood', 'jsonb', 'inet'].map(
      (type) => [type, `k${columns.findIndex(([name]) => name === type)}`] as const,
    ),
  )('of type %s are ordered as there', async (_type, name) => {
    const text = `select ${name}, row_number() over (order by ${name}, id) from entry order by 2`;
    await expectSame({ protocol: 'simple', text });
  });
});

describe('columns of every type, gathered while settings change their text', () => {
  /** Values in values: they are refused. */
  const composed = ['pair', 'pair[]', 'mood[]', 'floatrange'];
  const ofDates = except('tstzrange', 'datemultirange', ...composed);
  const ofNumbers = except('point', 'path', ...composed);
  const withOids = names.filter((name) => !except('regclass', ...composed).includes(name));
  const both = async (text: string) => {
    for (const side of [client, reference]) await side.request({ protocol: 'simple', text });
  };

  it.each([
    ["DateStyle to 'SQL, DMY'", ofDates],
    ["DateStyle to 'SQL, MDY'; set TimeZone to 'America/New_York'", ofDates],
    ["DateStyle to 'German, DMY'; set TimeZone to 'Asia/Kolkata'", ofDates],
    ["DateStyle to 'Postgres, MDY'; set IntervalStyle to 'sql_standard'", ofDates],
    ["IntervalStyle to 'iso_8601'; set bytea_output to 'escape'", names],
    ['extra_float_digits to 0', ofNumbers],
    ['extra_float_digits to -15', ofNumbers],
  ])('set %s', async (settings, list) => {
    await both(`set ${settings}`);
    try {
      await expectSame({ protocol: 'simple', text: everything(list) });
      await expectSame(extended(everything(list.filter((name) => !withOids.includes(name))), true));
      const kept = list.map((name) => `${name}::text`);
      await expectSame({ protocol: 'simple', text: everything(kept) });
    } finally {
      await both('reset all');
    }
  });

  it('are refused where values are within values', async () => {
    const range = `k${columns.findIndex(([type]) => type === 'tstzrange')}`;
    await client.request({ protocol: 'simple', text: 'set DateStyle to German' });
    const answer = await client.request({ protocol: 'simple', text: everything([range]) });
    await client.request({ protocol: 'simple', text: 'reset DateStyle' });
    expect(answer.error?.sqlState).toBe('0A000');
    expect(answer.error?.message).toContain('DateStyle');
  });
});
