import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { WireClient } from '../../support/wire-client.ts';
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

describe('UPDATE and DELETE over shards', () => {
  beforeEach(() => given(world, accounts, entries, places));

  it('count and return the rows of all shards', async () => {
    await same(world, simple('update account set balance = balance + 1'));
    await same(
      world,
      simple('update account set balance = balance + 1 where balance > 25 returning *'),
      false,
    );
    await same(
      world,
      extended('update account set owner = $1 where id = any($2) returning id', [
        'z',
        '{1,201,202}',
      ]),
      false,
    );
    await same(
      world,
      extended(
        'update account set owner = $1, note = default where balance > $2 returning id, owner',
        ['q', '30'],
        true,
      ),
      false,
    );
    await same(
      world,
      extended('update account set (balance, note) = (balance + $1, default) where balance > 5', [
        '2',
      ]),
    );
    await same(
      world,
      simple("update account set (owner, note, opened) = row('r', default, default) where id > 1"),
    );
    await same(
      world,
      simple('delete from entry where account_id in (1, 201) and number = 1 returning *'),
      false,
    );
    await same(world, extended('delete from entry where amount > $1', ['100']));
    await same(world, simple('delete from entry'));
  });

  it('use tables with the same key, reference tables and others', async () => {
    await same(
      world,
      simple(
        "insert into country (code, name, made, token, seq) values ('de', 'Germany', null, null, 1)",
      ),
    );
    await same(
      world,
      simple(
        'update account a set balance = e.amount::int from entry e where e.account_id = a.id and e.number = 1 returning a.id, a.balance, e.number',
      ),
      false,
    );
    await same(
      world,
      simple("update account a set note = c.name from country c where c.code = 'de'"),
    );
    await same(
      world,
      simple(
        'update account a set note = p.city from place p where p.size = 8 returning a.id, p.city',
      ),
      false,
    );
    await same(world, simple('delete from entry using place where size = amount::int'));
    await same(
      world,
      simple('delete from entry e using account a where a.id = e.account_id and a.balance > 20'),
    );
  });

  it('read other shards in subqueries', async () => {
    await same(
      world,
      simple(
        'update account set balance = (select max(balance) from account) where id in (select account_id from entry where amount > 3)',
      ),
    );
    await same(
      world,
      simple(
        'delete from account where balance < (select avg(balance) from account) and not exists (select from entry where account_id = id)',
      ),
    );
    await same(
      world,
      simple(
        "update account set note = (select city from place where size = 8), (owner, balance) = ('x', 5) where id > 100",
      ),
    );
    await same(world, simple('delete from account where id in (select max(id) from account)'));
    await same(
      world,
      simple(
        'with big as (select account_id from entry where amount > 2) update account set balance = 0 where id in (select account_id from big)',
      ),
    );
  });

  it('evaluate now() once', async () => {
    await world.proxy.query('update account set changed = now()');
    expect(
      await world.proxy.query('select count(distinct changed), count(changed) from account'),
    ).toEqual([['1', '6']]);
    await world.clear();
  });

  it('evaluate random values for each row', async () => {
    await world.proxy.query('update account set note = gen_random_uuid()::text, changed = now()');
    expect(
      await world.proxy.query('select count(distinct note), count(distinct changed) from account'),
    ).toEqual([['6', '1']]);
    const none = await world.proxy.request(simple('delete from account where random() < 0'));
    expect(none.results[0]?.tag).toBe('DELETE 0');
    await world.clear();
  });

  it('write home tables with what shards have', async () => {
    await same(
      world,
      simple('insert into memo select id, id, owner from account where balance > 15'),
    );
    await same(
      world,
      simple('update memo set body = a.note from account a where a.id = memo.account_id'),
    );
    await same(
      world,
      simple('delete from memo where account_id in (select account_id from entry)'),
    );
  });

  it('are undone everywhere by an error of one shard', async () => {
    await same(world, simple('update account set balance = 100 / (balance - 30)'));
    await same(world, extended('delete from account where 1 / (id - 201) <> 5'));
  });
});

describe('transactions', () => {
  beforeEach(() => given(world, accounts));

  it('hold several writes over shards', async () => {
    for (const text of [
      'begin',
      'update account set balance = 1',
      'insert into account (id) values (5), (105)',
      'savepoint a',
      'update account set balance = 1 / (id - 201)',
      'select 1',
      'rollback to a',
      'delete from account where balance is null',
      'savepoint b',
      'delete from account',
      'rollback to savepoint b',
      'select count(*) from account',
      'commit',
    ]) {
      const { told, plain } = await world.both(simple(text));
      expect([text, told.error, told.tag, told.status, told.rows]).toEqual([
        text,
        plain.error,
        plain.tag,
        plain.status,
        plain.rows,
      ]);
    }
    expect(await world.differences()).toEqual([]);
  });

  it('fail as a whole', async () => {
    for (const text of [
      'begin',
      'update account set balance = 1',
      'insert into account (id) values (1), (105)',
      'select 1',
      'commit',
    ]) {
      const { told, plain } = await world.both(simple(text));
      expect([text, told.error, told.tag, told.status]).toEqual([
        text,
        plain.error,
        plain.tag,
        plain.status,
      ]);
    }
    expect(await world.differences()).toEqual([]);
  });

  it('are implicit for several statements in one message', async () => {
    await same(
      world,
      simple('update account set balance = 5; insert into account (id) values (6), (106)'),
    );
    await same(
      world,
      simple('update account set balance = 6; insert into account (id) values (6), (107)'),
    );
  });
});

describe('UPDATE of the key', () => {
  beforeEach(() => given(world, accounts, places));

  it('keeps rows that stay, and moves others', async () => {
    await same(world, simple('update account set id = id, balance = 1'));
    await same(world, simple('update account set id = 3 where id = 1 returning *'));
    await same(
      world,
      simple(
        "update account set id = 150, owner = 'm' where id = 3 returning id, owner, twice, opened",
      ),
    );
    await same(
      world,
      extended(
        'update account set id = $1, balance = $2 where id = $3 returning *',
        ['250', '9', '2'],
        true,
      ),
    );
    await same(world, simple('update account set id = id + 90 where id < 110'));
    await same(world, simple('update account set id = 300 - id'));
    await same(
      world,
      simple("update place set code = 'z' || code, size = size + 1 returning code, size"),
      false,
    );
    await same(
      world,
      simple('update account a set id = a.id + 1 from place p where p.size = 4 and a.id > 190'),
    );
  });

  it('fails as in PostgreSQL when the new key is taken, NULL or has no owner', async () => {
    await same(world, simple('update account set id = 101 where id = 1'));
    await same(world, simple('update account set id = nullif(id, 1)'));
    await refused(world, 'update account set id = id + 900', '23514');
  });

  it('is refused where a move would do more than a change', async () => {
    await same(world, simple("insert into watched values (1, 'a'), (101, 'b')"));
    await refused(world, 'update watched set id = id + 100', '0A000');
  });

  it('is refused where rows would refer to none for a moment', async () => {
    await same(world, simple("insert into watched values (2, 'a'), (102, 'b')"));
    await same(world, simple('insert into owing values (2, 7)'));
    await refused(world, 'update owing set id = 102 where id = 2', '0A000');
    await same(world, simple('update owing set id = 2, amount = 8 where id = 2'));
  });
});

describe('statements at the same time', () => {
  beforeEach(() => given(world, accounts));

  it('do not wait for each other in a circle', async () => {
    const clients = await Promise.all([1, 2, 3, 4].map(() => world.connect()));
    const rounds = 12;
    /** Within one shard they may meet in another order, as in PostgreSQL; the shard sees that. */
    const insist = async (client: WireClient, text: string) => {
      for (;;) {
        const { error, status } = await client.request(simple(text));
        expect(status).toBe('I');
        if (error === null) return;
        expect(error.sqlState).toBe('40P01');
      }
    };
    await Promise.all(
      clients.map(async (client, index) => {
        for (let round = 0; round < rounds; round += 1) {
          await insist(client, 'update account set balance = balance + 1');
          await insist(
            client,
            `insert into account (id, balance) values (${10 + index}, 1), (${110 + index}, 1), (210, 1)
             on conflict (id) do update set balance = account.balance + 1`,
          );
        }
        client.close();
      }),
    );
    const before = 10 + 20 + 30 + 40 + 50 + 60;
    expect(
      await world.proxy.query(
        'select sum(balance) from account where id in (1, 2, 101, 102, 201, 202)',
      ),
    ).toEqual([[String(before + 6 * clients.length * rounds)]]);
    await world.clear();
  });
});

describe('what is asked of pgweave itself', () => {
  beforeEach(() => given(world, accounts));

  it('keeps whole tables safe when the session wants it', async () => {
    await world.proxy.query('set pgweave.safe_writes to on');
    const answer = await world.proxy.request(simple('delete from account'));
    expect(answer.error?.sqlState).toBe('55000');
    await world.proxy.query('reset pgweave.safe_writes');
    await same(world, simple('delete from account'));
  });

  it('truncates on all shards', async () => {
    await same(world, simple('truncate account, entry'));
    await same(world, simple('truncate table country restart identity'));
  });

  it('explains, and writes nothing', async () => {
    for (const text of [
      'update account set balance = 1',
      'insert into account (id) values (1), (150)',
      'delete from account where balance > (select max(size) from place)',
      "insert into country (code) values ('x')",
      'update account set id = id + 1',
    ]) {
      const rows = (await world.proxy.query(`explain ${text}`)).flat().join('\n');
      expect(rows).toContain('pgweave: a write on up to');
    }
    expect(await world.differences()).toEqual([]);
    const rows = (
      await world.proxy.query('explain insert into account (id) values (3), (150)')
    ).flat();
    expect(rows.filter((row) => row?.startsWith('On shard'))).toEqual([
      'On shard s1:',
      'On shard s2:',
    ]);
  });
});
