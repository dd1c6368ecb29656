import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sleep } from '../../../src/base/clock.ts';
import { withSession } from '../../../src/lab/sql.ts';
import { BothSides } from '../../support/both-sides.ts';
import { leavingFunctions } from '../../support/leaving-functions.ts';
import { entrySchema } from '../../support/served-cluster.ts';

const schema = `${entrySchema}; ${leavingFunctions};
  create table slow (id int);
  create function dawdle() returns trigger language plpgsql as $$
    begin perform pg_sleep(0.4); return null; end $$;
  create constraint trigger dawdle after insert on slow deferrable initially deferred
    for each row execute function dawdle()`;

let sides: BothSides;

beforeAll(async () => {
  sides = await BothSides.start({ shards: ['a', 'b'], schema, workers: 1 });
  const { served, plain } = await sides.run([
    "insert into entry values (1, 'one'), (2, 'two'), (1000001, 'far'), (1000002, 'two')",
    "insert into setting values ('two', '2'), ('far', '1000001')",
  ]);
  expect(served).toEqual(plain);
});

afterAll(async () => {
  await sides?.stop();
});

/** The same statements give the same answers. */
async function same(statements: readonly string[]): Promise<void> {
  const { served, plain } = await sides.run(statements);
  expect(served).toEqual(plain);
}

describe('temporary tables', () => {
  it.each([
    [
      'a table',
      'create temp table t (id int, note text)',
      "insert into t values (1, 'x'), (2, 'y')",
    ],
    [
      'by its schema',
      'create table pg_temp.t (id int, note text)',
      "insert into pg_temp.t values (1, 'x')",
    ],
    ['of a query', "create temporary table t as select 1 as id, 'x' as note", 'select 1'],
    ['by SELECT INTO', "select 1 as id, 'x' as note into temp t", 'select 1'],
    [
      'like another',
      'create temp table t (like entry including all)',
      "insert into t values (5, 'x')",
    ],
    ['a view', "create temp view t as select 1 as id, 'x' as note", 'select 1'],
  ])('are there for their session: %s', async (_, create, fill) => {
    await same([
      create,
      fill,
      'select * from t order by id',
      'select id from pg_temp.t order by id',
      'select * from entry where id = 1',
      'select note from t where id = 1',
      'discard temp',
      'select * from t',
    ]);
  });

  it('hide a sharded table of the same name', async () => {
    await same([
      'select count(*) from entry',
      'create temp table entry (id int, other text)',
      'select count(*) from entry',
      "insert into entry values (1000001, 'temporary'), (null, 'no key')",
      'select * from entry order by other',
      'select other from entry where id = 1000001',
      'select count(*) from public.entry',
      'select note from public.entry where id = 1000001',
      "update entry set other = 'changed' where id = 1000001",
      'delete from entry where id is null',
      'select * from entry',
      'drop table entry',
      'select count(*) from entry',
    ]);
  });

  it('are joined with sharded tables', async () => {
    await same([
      'create temp table wanted (id int, weight numeric)',
      'insert into wanted values (1, 1.5), (1000001, 2.5), (7, 3)',
      'select e.id, e.note, w.weight from entry e join wanted w using (id) order by id',
      'select sum(w.weight) from wanted w left join entry e using (id) where e.id is null',
      'select note, count(*) from entry where id in (select id from wanted) group by 1 order by 1',
      'insert into wanted select id, 1 from entry where id > 1',
      'select * from wanted order by id, weight',
      "update entry set note = 'joined' from wanted w where w.id = entry.id and w.weight > 2",
      'select * from entry order by id',
      "update entry set note = 'far' where id = 1000001",
      'begin',
      'create temp table inside on commit drop as select 2 as id',
      'select e.note from entry e join inside i using (id)',
      'commit',
      'select * from inside',
    ]);
  });

  it('end with their transaction when they were made in it', async () => {
    await same([
      'begin',
      'create temp table t (id int)',
      'savepoint s',
      'create temp table entry (n int)',
      'select * from entry',
      'rollback to s',
      'select count(*) from entry',
      'select * from t',
      'rollback',
      'select * from t',
      'select count(*) from entry',
      'begin',
      'create temp table d (id int) on commit delete rows',
      'insert into d values (1)',
      'select * from d',
      "update entry set note = 'b' where id = 1000002",
      'commit',
      'select * from d',
      'select note from entry where id = 1000002',
      "update entry set note = 'two' where id = 1000002",
    ]);
  });

  it('are changed as other tables are', async () => {
    await same([
      'create temp table t (id int)',
      'alter table t add column note text',
      'create index on t (note)',
      "insert into t values (1, 'x')",
      'select note from t',
      'alter table t rename to u',
      'select * from u',
      'select * from t',
      'create temp sequence s',
      "select nextval('s')",
      'truncate u',
      'select count(*) from u',
      'drop table u; drop sequence s',
      'select * from u',
    ]);
  });

  it('are searched where search_path says', async () => {
    await same([
      'create temp table entry (id int, other text)',
      'set search_path to public, pg_temp',
      'select count(*) from entry',
      'set search_path to pg_temp, public',
      'select count(*) from entry',
      'create table made (id int)',
      'select * from pg_temp.made',
      'reset search_path',
      'discard all',
      'select count(*) from entry',
      'select * from made',
    ]);
  });

  it('are no views of sharded tables', async () => {
    const { served } = await sides.run(['create temp view v as select * from entry']);
    expect(served).toEqual([
      { error: '0A000 a temporary view of distributed tables is not supported' },
    ]);
  });
});

describe('advisory locks', () => {
  async function holds(clients: readonly Client[], sql: string): Promise<unknown[]> {
    const answers = [];
    for (const client of clients) answers.push((await client.query(sql)).rows);
    return answers;
  }

  it.each([
    ['of a session', 'select pg_advisory_lock(42)', 'select pg_advisory_unlock(42)'],
    [
      'with two keys',
      'select pg_try_advisory_lock(7, \'x\'::"char"::int)',
      'select pg_advisory_unlock_all()',
    ],
    [
      'with computed keys',
      "select pg_advisory_lock(hashtext('job'))",
      "select pg_advisory_unlock(hashtext('job'))",
    ],
  ])('exclude other sessions: %s', async (_, lock, unlock) => {
    const [one, other] = await Promise.all([sides.served.connect(), sides.served.connect()]);
    try {
      const attempt = lock.replace('pg_advisory_lock', 'pg_try_advisory_lock');
      expect(await holds([one], lock)).toHaveLength(1);
      await one.query('select * from entry where id = 1000001');
      const [refused] = await holds([other], attempt);
      expect(Object.values((refused as object[])[0] ?? {})).toEqual([false]);
      await one.query(unlock);
      const [granted] = await holds([other], attempt);
      expect(Object.values((granted as object[])[0] ?? {})).toEqual([true]);
      await other.query(unlock);
      await sides.served.untilIdle();
    } finally {
      await Promise.all([one.end(), other.end()]);
    }
  });

  it('answer as in one PostgreSQL', async () => {
    await same([
      'select pg_try_advisory_lock(1), pg_try_advisory_lock(1)',
      'select pg_advisory_unlock(1)',
      'select pg_advisory_unlock(1)',
      'select pg_advisory_unlock(1)',
      'select pg_advisory_lock(1/0)',
      'begin',
      'select pg_advisory_xact_lock(5)',
      "update entry set note = 'two' where id = 1000002",
      'commit',
      'select pg_try_advisory_lock_shared(9), pg_advisory_unlock_shared(9)',
      'select pg_advisory_unlock_all()',
    ]);
    await sides.served.untilIdle();
  });

  it('end with their session', async () => {
    const one = await sides.served.connect();
    await one.query('select pg_advisory_lock(77)');
    await one.end();
    await sides.served.untilIdle();
    await same(['select pg_try_advisory_lock(77)']);
  });

  it.each([
    ['of one shard', "update entry set note = 'one' where id = 1"],
    ['of several', "update entry set note = 'two' where id in (2, 1000002)"],
  ])('end with a session that left during its COMMIT, which is done: %s', async (_, update) => {
    const leaver = await sides.served.connect();
    leaver.on('error', () => {});
    await leaver.query('select pg_advisory_lock(78)');
    await leaver.query('begin');
    await leaver.query(update);
    await leaver.query('insert into slow values (1)');
    leaver.query('commit').catch(() => {});
    await sleep(150);
    leaver.connection.stream.destroy();
    const client = await sides.served.connect();
    await sides.served.until('the commit', async () => {
      const { rowCount } = await client.query('delete from slow');
      return rowCount === 1;
    });
    await sides.served.untilIdle();
    const { rows } = await client.query('select pg_try_advisory_lock(78) as free');
    expect(rows).toEqual([{ free: true }]);
    await client.end();
    await sides.served.untilIdle();
  });

  it('are not taken for rows of sharded tables', async () => {
    const { served } = await sides.run([
      'select pg_advisory_xact_lock(id) from entry where id = 1',
      'select * from entry where pg_try_advisory_lock(id)',
    ]);
    for (const answer of served) {
      expect(answer).toMatchObject({
        error: expect.stringMatching(/^0A000 function pg_.* distributed tables/),
      });
    }
  });
});

describe('a server that is lost', () => {
  it('takes the sessions along that had something there, and only them', async () => {
    const [keeper, other] = await Promise.all([sides.served.connect(), sides.served.connect()]);
    const ends = new Promise<Error & { code?: string }>((resolve) => keeper.on('error', resolve));
    await keeper.query('create temp table t (id int)');
    const { rows } = await keeper.query('select pg_backend_pid() as pid');
    const { primary } = sides.served.lab.shard('a');
    await withSession(primary, { database: 'app', password: null }, (session) =>
      session.query('select pg_terminate_backend($1)', [rows[0].pid]),
    );
    expect(await ends).toMatchObject({ code: '57P01', severity: 'FATAL' });
    expect((await other.query('select count(*) from setting')).rowCount).toBe(1);
    await other.end();
    await sides.served.untilIdle();
  });
});

describe('what functions leave in the session', () => {
  const tenant = "select coalesce(current_setting('app.tenant', true), '') as tenant";
  const farTenant = `${tenant}, note from entry where id = 1000001`;

  it.each([
    ['a parameter', "select set_tenant('red')"],
    ['of one that calls another', "select take_over('red')"],
    [
      'of a trigger',
      "insert into setting values ('trigger', 'x')",
      "insert into watched values (1, 'blue')",
    ],
    ['of a view', 'select * from tenants'],
    ['of a domain', "insert into named values (1, 'red')", 'delete from named'],
    ['of an array of a domain', "select '{red}'::tenant_name[]"],
    ['of an argument', "select named_length('red')"],
    ['of a cast', "insert into tagged select 1, 'red'::text", 'delete from tagged'],
    ['of an index', "insert into folded_notes values (1, 'red')", 'delete from folded_notes'],
    ['named as a column', 'select p.noted from pairs p'],
    ['named as a field', 'select (p).noted from pairs p'],
    ['of a default', 'select defaulted()'],
    ['in a block', 'begin', "select set_tenant('red')", farTenant, 'commit'],
    ['in a block that is undone', 'begin', "select set_tenant('red')", farTenant, 'rollback'],
    ['in a list', `select set_tenant('red'); ${farTenant}`],
    ['run by EXECUTE', 'prepare p(text) as select set_tenant($1)', "execute p('red')"],
    [
      'run by EXPLAIN',
      'begin',
      "declare c cursor for select set_tenant('red')",
      'fetch c',
      'commit',
    ],
    [
      'of one made in the block',
      'begin',
      "create function fresh() returns void language plpgsql as $$ begin set app.tenant to 'new'; end $$",
      'select fresh()',
      farTenant,
      'commit',
      'drop function fresh()',
    ],
    ['with SET', 'select set_memory()', 'show work_mem'],
    ['with RESET', "set work_mem to '9MB'", 'select forget_memory()', 'show work_mem'],
    ['and what the client sets after it', "select set_tenant('red')", "set app.tenant to 'own'"],
  ])('follows it: %s', async (_, ...statements) => {
    await same([
      ...statements,
      tenant,
      farTenant,
      'select count(*), own_tenant() from entry where id = 1000001 group by 2',
      "select current_setting('work_mem'), note from entry where id = 1000001",
      "delete from setting where name = 'trigger'",
      'delete from watched',
      'discard all',
      tenant,
    ]);
  });

  it('keeps its connection: temporary tables, locks and channels', async () => {
    await same([
      'select make_table()',
      'select * from made',
      'select count(*) from entry',
      'insert into made values (2)',
      'select note from entry join made using (id)',
      'drop table made',
      'select lock_it(7)',
      "select objid from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
      'select pg_advisory_unlock(7)',
      'select pg_advisory_unlock(7)',
      "select run_it('listen news')",
      'select * from pg_listening_channels()',
      'unlisten *',
    ]);
    await sides.served.untilIdle();
    const [{ reserved } = {}] = (await sides.served.console('show pools')).filter(
      ({ reserved }) => reserved !== '0',
    );
    expect(reserved).toBeUndefined();
  });

  it('costs other statements nothing: their connections are not cleaned', async () => {
    const client = await sides.served.connect();
    const prepared = async () => {
      await client.query({
        name: 'kept',
        text: 'select note, own_tenant() from entry where id = 1',
      });
      const { rows } = await client.query(
        "select count(*)::int as n from pg_prepared_statements where name like 'pgweave%'",
      );
      return rows[0].n;
    };
    expect(await prepared()).toBeGreaterThan(0);
    expect(await prepared()).toBeGreaterThan(0);
    await client.end();
  });
});
