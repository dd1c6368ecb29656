import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { accounts, entries, given, places, refused, same } from '../../support/write-checks.ts';
import { extended, simple, WriteWorld } from '../../support/write-world.ts';

let world: WriteWorld;

beforeAll(async () => {
  world = await WriteWorld.start();
}, 120_000);

afterAll(async () => {
  await world?.stop();
});

beforeEach(async () => {
  await world.clear();
});

describe('INSERT of several rows', () => {
  it('is split by shard, in both protocols', async () => {
    await same(world, simple(accounts));
    await same(world, extended(accounts.replaceAll(/\((.)0/g, '($15')));
  });

  it('returns its rows in the order of VALUES', async () => {
    const tail =
      "values (201, 'a'), (1, 'b'), (101, 'c'), (2, 'd'), (202, 'e') returning id, owner, id + 1 as next";
    await same(world, simple(`insert into account (id, owner) ${tail}`));
    await world.clear();
    await same(world, extended(`insert into account (id, owner) ${tail}`));
    await world.clear();
    await same(world, extended(`insert into account (id, owner) ${tail}`, [], true));
  });

  it('takes bound parameters, also where a parameter stands twice', async () => {
    const text =
      'insert into account (id, owner, balance, opened) values ($1, $2, $3, $4), ($5, $6, $7, $8) returning *';
    await same(
      world,
      extended(text, ['1', 'x', '5', '2021-02-03', '150', null, '7', '2022-01-01']),
    );
    const twice =
      'insert into account (id, owner, note) values ($1, $2, $2), ($3, $2, null), (102, $2, $4)';
    await same(world, extended(twice, ['2', 'y', '202', 'z']));
  });

  it('takes defaults, expressions and strings with anything in them', async () => {
    await same(
      world,
      simple(`insert into account (id, owner, balance, opened) values
      (1, default, 1 + 1, default), (101, 'it''s (a) "b", values (1), (2) -- $1', abs(-5), date '2020-02-02' + 3),
      (201, E'a\\'b\\n', (select 7), '2020-02-02'), (202, $$x (y$$, -3, null) /* (3), (4) */ returning *`),
    );
  });

  it('evaluates now() once', async () => {
    const text =
      'insert into account (id, changed) values (1, now()), (101, now()), (201, current_timestamp)';
    const answer = await world.proxy.request(simple(text));
    expect(answer.results[0]?.tag).toBe('INSERT 0 3');
    const stored = await world.proxy.query('select count(distinct changed) from account');
    expect(stored).toEqual([['1']]);
    await world.clear();
  });

  it('computes keys first', async () => {
    await same(
      world,
      simple(
        "insert into place values (lower('OSLO'), 'Oslo', 1), ('rome', 'Rome', 2), (lower($$BONN$$), 'Bonn', 3) returning code",
      ),
    );
    await same(
      world,
      extended('insert into place values (lower($1), $2, 1), ($3, $2, 2)', ['XANTEN', 'c', 'ulm']),
    );
    await same(world, simple('insert into account (id) values (100 + 1), (2 * 100)'));
  });

  it('stores nothing when a key is missing, NULL, computed NULL or in no range', async () => {
    await refused(world, "insert into account (id, owner) values (1, 'a'), (null, 'b')", '23502');
    await refused(
      world,
      "insert into account (id, owner) values (1, 'a'), (default, 'b')",
      '23502',
    );
    await refused(world, "insert into account (id, owner) values (1, 'a'), (5000, 'b')", '23514');
    await refused(world, 'insert into account (id) values (1), (101), (nullif(2, 2))', '23502');
    await refused(world, 'insert into account (id) values ($1), ($2)', '23502', ['1', null]);
  });

  it('stores nothing when one shard has an error', async () => {
    await given(world, accounts);
    await same(world, simple('insert into account (id) values (3), (103), (201)'));
    await same(
      world,
      extended('insert into account (id) values ($1), ($2), ($3)', ['3', '103', '201']),
    );
    await same(world, simple('insert into account (id, balance) values (4, 1), (104, 1/0)'));
  });

  it('meets conflicts on the key', async () => {
    await given(world, accounts);
    await same(
      world,
      simple(
        "insert into account (id, owner) values (1, 'n'), (103, 'n'), (201, 'n') on conflict (id) do update set owner = excluded.owner returning id, owner",
      ),
    );
    await same(
      world,
      simple(
        "insert into account (id, owner) values (1, 'm'), (104, 'm'), (203, 'm') on conflict do nothing returning id",
      ),
      false,
    );
    await same(
      world,
      simple(
        "insert into account (id, owner) values (1, 'm'), (1, 'm'), (203, 'm') on conflict (id) do update set owner = 'k'",
      ),
    );
    await refused(
      world,
      'insert into entry values (1, 1, 1), (101, 2, 2) on conflict (number) do nothing',
      '0A000',
    );
  });

  it('reads other shards in its values', async () => {
    await given(world, accounts);
    await same(
      world,
      simple(
        'insert into entry values (1, 9, (select max(balance) from account)), (201, 9, (select count(*) from account where id = 101))',
      ),
    );
    await same(
      world,
      simple(
        'insert into account (id, balance) values ((select max(id) + 1 from account), 1), (3, 2)',
      ),
    );
  });
});

describe('INSERT ... SELECT', () => {
  beforeEach(() => given(world, accounts, entries, places));

  it('stays on the shards when the keys do', async () => {
    await same(
      world,
      simple('insert into entry select id, 7, balance from account returning *'),
      false,
    );
    await same(
      world,
      extended(
        'insert into entry (number, account_id) select $1, id from account where balance > $2',
        ['8', '20'],
      ),
    );
    await same(
      world,
      simple(
        'insert into entry select account_id, number, 0 from entry on conflict (account_id, number) do update set amount = excluded.amount + 1',
      ),
    );
  });

  it('moves rows whose keys are other ones', async () => {
    await same(
      world,
      simple(
        "insert into account (id, owner, opened) select id + 100 - 200 * (id / 200), owner, '2021-01-01' from account where id < 100 or id > 201 on conflict (id) do nothing returning *",
      ),
      false,
    );
    await same(
      world,
      simple('insert into place select city, code, size from place on conflict do nothing'),
    );
    await same(
      world,
      simple(
        "insert into place select 'x' || n, null, n from generate_series(1, 5) n returning code",
      ),
      false,
    );
    await same(
      world,
      extended(
        'insert into account (id, balance) select $1::int8 + n, n from generate_series(1, 3) n',
        ['150'],
      ),
    );
    await same(world, simple('insert into entry select 102, 50 + id::int, balance from account'));
    await same(
      world,
      simple(
        'insert into account (id) select account_id + 40 from entry group by 1 order by 1 limit 2',
      ),
    );
    await same(world, simple('insert into account (id) select id + 5000 from account where false'));
  });

  it('takes the columns of functions, and literals beside a star', async () => {
    await same(
      world,
      extended(
        'insert into account (id, owner) select * from unnest($1::int8[], $2::text[]) on conflict (id) do update set owner = excluded.owner returning id',
        ['{12,101,212}', '{a,b,c}'],
      ),
      false,
    );
    await same(
      world,
      simple(
        "insert into account (id, owner, balance, opened) select v.*, 7, '2021-03-04' from (select id + 30 as a, owner from account where id < 210) v on conflict do nothing",
      ),
    );
    await refused(world, 'insert into account select * from unnest(array[1, 101])', '0A000');
  });

  it('brings rows of several shards into a table of the home shard, where some may be in the way', async () => {
    await given(world, accounts);
    const insert = 'insert into memo select id + 1, id, owner from account where balance > 5';
    await same(world, simple(`${insert} on conflict (id) do nothing`));
    await same(world, simple(`${insert} or id = 1 on conflict do nothing returning id`), false);
    const update = `${insert} on conflict (id) do update set body = memo.body || excluded.id`;
    await same(world, simple(`${update} where memo.account_id < $1`.replace('$1', '150')));
    await same(world, extended(`${update} where memo.account_id < $1 returning *`, ['150']), false);
    await same(
      world,
      simple(`${insert} on conflict (id) do update set body = (select max(note) from account)`),
    );
  });

  it('stores nothing when a key has no owner', async () => {
    await refused(world, 'insert into account (id) select id + 900 from account', '23514');
    await refused(
      world,
      'insert into account (id) select nullif(id, 101) + 10 from account',
      '23502',
    );
  });
});

describe('MERGE', () => {
  beforeEach(() => given(world, accounts, entries, places));

  it('runs where both tables have the same keys', async () => {
    await same(
      world,
      simple(`merge into entry e using account a on e.account_id = a.id and e.number = 1
        when matched and a.balance > 40 then delete
        when matched then update set amount = a.balance
        when not matched then insert (account_id, number, amount) values (a.id, 1, -1)
        returning merge_action(), e.account_id, e.amount`),
      false,
    );
    await given(world, "insert into country values ('de', 'Germany', 1, 1, null, 0)");
    await same(
      world,
      simple(`merge into account a using country c on a.owner is null and c.rank = 1
        when matched then update set note = c.name`),
    );
  });

  it('changes the rows that match none of the source', async () => {
    await same(
      world,
      simple(`merge into account a using entry e on a.id = e.account_id and e.number = 1 and e.amount > 2
        when not matched by source and a.balance < 20 then delete
        when not matched by source then update set note = 'alone'
        when matched then update set note = e.amount::text
        returning merge_action(), a.id, a.note`),
      false,
    );
    await given(world, 'delete from account where id in (101, 202)');
    await same(
      world,
      simple(`merge into account a using entry e on a.id = e.account_id and e.number = 1 and a.id = 201
        when not matched by source then delete
        when not matched and e.number = 1 and e.account_id > 100 and e.account_id <> 201
          then insert (id, note) values (e.account_id, 'found')
        returning merge_action(), old.id as was, new.id`),
      false,
    );
    await refused(
      world,
      'merge into account a using place p on a.balance = p.size when not matched by source then delete',
      '0A000',
    );
  });

  it('runs on one shard for a given row', async () => {
    const text = `merge into account a using (select $1::int8 as id, $2::text as owner) n on a.id = n.id
      when matched then update set owner = n.owner when not matched then insert (id, owner) values (n.id, n.owner)`;
    await same(world, extended(text, ['101', 'changed']));
    await same(world, extended(text, ['150', 'added']));
  });

  it('is refused where rows could be added on every shard', async () => {
    await refused(
      world,
      'merge into account a using place p on a.balance = p.size when not matched then insert (id) values (7)',
      '0A000',
    );
  });
});
