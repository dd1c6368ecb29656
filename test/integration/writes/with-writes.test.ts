import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { accounts, entries, given, places, refused, same } from '../../support/write-checks.ts';
import { extended, simple, WriteWorld } from '../../support/write-world.ts';

// Shard s1 owns the ids below 100, s2 those below 200, s3 the rest.
let world: WriteWorld;

beforeAll(async () => {
  world = await WriteWorld.start();
}, 120_000);

afterAll(async () => {
  await world?.stop();
});

beforeEach(async () => {
  await world.clear();
  await given(world, accounts, entries, places);
});

describe('writes in WITH over shards', () => {
  it('return rows to a query', async () => {
    await same(
      world,
      simple(
        "with ins as (insert into account (id, owner) values (7, 'a'), (150, 'b'), (290, 'c') returning id, owner, note) select count(*), min(id), max(note) from ins",
      ),
    );
    await same(
      world,
      extended(
        'with gone as (delete from entry where amount > $1 returning *) select account_id, number, amount from gone order by 1, 2',
        ['10'],
      ),
    );
    await same(
      world,
      extended(
        'with changed as (update account set balance = balance + $1 where balance is not null returning id, balance) select p.city, c.id, c.balance from changed c left join place p on p.size = c.id order by c.id',
        ['5'],
        true,
      ),
    );
    await same(
      world,
      simple(
        'with a as (update account set balance = 0 returning 1), b as (delete from entry returning 1) select (select count(*) from a), (select count(*) from b)',
      ),
    );
  });

  it('move rows from table to table', async () => {
    await same(
      world,
      simple(
        "with moved as (delete from entry where number = 1 returning *) insert into memo (id, account_id, body) select account_id, account_id, amount::text || ' ' || number from moved",
      ),
    );
    await same(
      world,
      simple(
        'with moved as (delete from memo returning *) insert into entry (account_id, number, amount) select account_id, 77, 1.50 from moved returning *',
      ),
      false,
    );
    await same(
      world,
      extended(
        'with moved(k, v) as (delete from place where size > $1 returning code, city) insert into account (id, owner) select row_number() over (order by k) * 90, v from moved returning id, owner',
        ['1'],
      ),
      false,
    );
  });

  it('update some rows and insert the others', async () => {
    await same(
      world,
      simple(
        `with given(id, name) as (values (1::int8, 'one'), (888, 'new'), (150, 'other')),
          src as (select id, name, id * 2 as twice from given),
          changed as (update account a set owner = s.name from src s where a.id = s.id returning a.id)
        insert into memo (id, body) select id, name from src where id not in (select id from changed)`,
      ),
    );
  });

  it('add rows with those that refer to them', async () => {
    await same(world, simple('drop trigger watch on watched'));
    await same(
      world,
      extended(
        "with w as (insert into watched (id, name) values ($1, 'a'), ($2, 'b') returning id) insert into owing (id, amount) select id, 5 from w returning *",
        ['33', '233'],
      ),
      false,
    );
  });

  it('take a list of rows to be written from before all writes', async () => {
    await same(
      world,
      simple(
        'with picked as (select id from account order by balance desc nulls last, id limit 3), gone as (delete from account a using picked p where a.id = p.id returning a.id, a.owner) select * from gone order by id',
      ),
    );
  });

  it('are a part of the transaction, and undone by an error', async () => {
    for (const text of [
      'begin',
      'with gone as (delete from entry returning *) select count(*) from gone',
      'savepoint s',
      'with gone as (delete from account returning id) insert into watched (id, name) select id, null from gone',
      'rollback to s',
      'select count(*) from account',
      'commit',
    ]) {
      const { told, plain } = await world.both(simple(text));
      expect([text, told]).toEqual([text, plain]);
    }
    await same(
      world,
      simple(
        'with gone as (delete from account returning id) insert into entry (account_id, number) select id, null from gone',
      ),
    );
    await same(world, simple('select count(*) from account'));
  });

  it('stand beside queries about what they return, and about other tables', async () => {
    await same(
      world,
      simple(
        `with gone as (delete from entry where number = 1 returning account_id, amount),
          summed as (select count(*) as n, sum(amount) as total from gone),
          places as (select max(size) as largest from place),
          both_of_them as (select n, total, largest from summed, places)
        select * from both_of_them`,
      ),
    );
    await same(
      world,
      simple(
        `with gone as (delete from entry returning account_id),
          few as (select account_id from gone where account_id > 100)
        update account set balance = 7 where id in (select account_id from few) returning id`,
      ),
      false,
    );
    // A name of WITH hides the table in all that follows, but not in itself.
    await same(
      world,
      simple(
        `with gone as (delete from entry returning account_id),
          place as (select code from place)
        select (select count(*) from gone), (select count(*) from place)`,
      ),
    );
    await refused(
      world,
      `with gone as (delete from account where id < 0 returning id),
        account as (select id from account)
      select (select count(*) from gone), (select count(*) from account)`,
      '0A000',
    );
  });

  it('return nothing when nobody asks, and no row when none is written', async () => {
    await same(
      world,
      simple('with a as (delete from entry) update account set balance = 1 where id < 150'),
    );
    await same(
      world,
      simple('with a as (delete from entry where false returning *) select * from a'),
    );
    await same(
      world,
      simple(
        'with a as (delete from place where false returning *) insert into memo (id) select size from a',
      ),
    );
  });

  it('are refused where a part would see what another one has written', async () => {
    for (const text of [
      'with gone as (delete from entry returning *) select count(*) from entry',
      'with gone as (delete from account returning id) insert into account (id) select id + 1 from gone',
      'with a as (update account set balance = 1 returning id), b as (select count(*) from account, a) select * from b',
      'with gone as (delete from watched returning id) insert into memo (id) select id from gone',
      "with a as (insert into country (code) values ('x') returning code) select * from a, account",
      'with a as (update account set id = id + 100 returning id) select * from a',
      'with a as (update account set balance = 1 returning old.balance) select * from a',
    ]) {
      await refused(world, text, '0A000');
    }
    expect(await world.differences()).toEqual([]);
  });
});

describe('EXPLAIN ANALYZE of writes over shards', () => {
  it('writes, and tells of every step', async () => {
    const explain = 'explain (analyze, costs off, timing off, summary off, buffers off)';
    for (const [text, ...found] of [
      ['update account set balance = balance + 1', 'On shard s3:', 'Update on account'],
      ["insert into account (id, owner) values (3, 'x'), (150, 'y') returning id", 'Insert on'],
      ['insert into entry select id, 7, balance from account', 'Insert on entry'],
      [
        'delete from account where balance > (select max(size) + 43 from place)',
        'Intermediate result 0',
        'Delete on account',
      ],
      [
        "insert into country (code, seq, made, token) values ('x', 1, null, 0)",
        'Done: 1 row',
        'Insert on country',
      ],
      ['update country set rank = 5', 'On shard s2:', 'Update on country'],
      ['update account set id = id + 110 where id in (2, 102)', 'Done: 1 row', 'Delete on account'],
      [
        'with gone as (delete from entry returning amount) insert into memo select 1, count(*), null from gone',
        'Delete on entry',
        'Insert on memo',
      ],
      [
        'merge into account a using entry on a.id = account_id when matched then delete',
        'Merge on account',
      ],
    ] as const) {
      const answer = await world.proxy.request(simple(`${explain} ${text}`));
      expect([text, answer.error?.message, answer.status]).toEqual([text, undefined, 'I']);
      const lines = answer.results.flatMap(({ rows }) => rows.flat().map(String)).join('\n');
      for (const part of found) expect(lines).toContain(part);
      await world.plain.query(text);
      expect([text, await world.differences()]).toEqual([text, []]);
    }
    await world.proxy.query('begin');
    expect((await world.proxy.query(`${explain} delete from account`)).length).toBeGreaterThan(3);
    expect(await world.proxy.query('select count(*) from account')).toEqual([['0']]);
    await world.proxy.query('rollback');
    const clash = await world.proxy.request(
      simple(`${explain} insert into account (id) values (5), (1), (160)`),
    );
    expect([clash.error?.sqlState, clash.status]).toEqual(['23505', 'I']);
    const json = await world.proxy.request(
      simple('explain (analyze, format json) delete from account'),
    );
    expect(json.error?.sqlState).toBe('0A000');
    expect(await world.differences()).toEqual([]);
  });
});
