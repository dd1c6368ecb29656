import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { accounts, entries, given, refused, same } from '../../support/write-checks.ts';
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

describe('reference tables', () => {
  const insert =
    "insert into country (code, name, rank) values ('de', 'Germany', 1), ('fr', 'France', 2)";

  it('get the same rows with all values everywhere', async () => {
    const answer = await world.proxy.request(
      simple(`${insert} returning seq, code, token is null`),
    );
    expect(answer.results[0]?.tag).toBe('INSERT 0 2');
    expect(answer.results[0]?.rows.map((row) => row.map(String))).toEqual([
      ['1', 'de', 'f'],
      ['2', 'fr', 'f'],
    ]);
    expect(await world.differences(['country'])).toEqual([]);
    const italy = extended('insert into country (code) values ($1) on conflict do nothing', ['it']);
    expect((await world.proxy.request(italy)).error).toBe(null);
    await world.proxy.query(
      "insert into country (code, name) values ('it', 'Italia'), ('es', 'Spain') on conflict (code) do update set name = excluded.name, made = now(), token = random()",
    );
    expect(await world.differences(['country'])).toEqual([]);
    expect(await world.proxy.query('select count(*), count(distinct seq) from country')).toEqual([
      ['4', '4'],
    ]);
  });

  it('are changed on all shards, and counted once', async () => {
    const fixed = insert
      .replace('rank)', 'rank, made, token)')
      .replaceAll(/(\d)\)/g, '$1, null, 0)');
    await same(world, simple(fixed));
    await same(world, simple('update country set rank = rank + 1 returning code, rank'), false);
    await same(world, extended('update country set name = $1 where code = $2', ['x', 'fr']));
    await given(world, accounts);
    await same(world, simple('update country set rank = (select count(*) from account)'));
    await same(
      world,
      simple(
        "insert into country (code, rank, made, token) select 'c' || id, balance, null, 0 from account order by id",
      ),
    );
    await same(world, simple("delete from country where code = 'de' returning *"), false);
    await world.proxy.query('update country set made = now()');
    expect(await world.differences(['country'])).toEqual([]);
    await world.proxy.query('update country set (made, rank) = row(default, 7)');
    expect(await world.differences(['country'])).toEqual([]);
    for (const value of ['random()', 'default']) {
      const request = simple(`update country set token = ${value}`);
      expect((await world.proxy.request(request)).error?.sqlState).toBe('0A000');
    }
    expect(await world.differences(['country'])).toEqual([]);
  });

  it('are not written through views, which would change one copy', async () => {
    for (const text of [
      'create view lands as select code, rank from country',
      'create view high_lands as select * from lands where rank > 1',
      'create view notes as select id, body from memo where id not in (select rank from country)',
    ]) {
      await given(world, text);
    }
    for (const text of [
      "insert into lands values ('x', 1)",
      'update high_lands set rank = 5',
      'delete from public.lands',
      "with added as (insert into lands values ('x', 1) returning *) select * from added",
      "merge into lands using (select 'x' as c) s on code = c when not matched then insert values (c, 1)",
    ]) {
      await refused(world, text, '0A000');
    }
    await same(world, simple("insert into notes values (70, 'home') returning *"));
    await given(world, 'drop view lands, high_lands, notes cascade');
  });

  it('are not changed any more when copies differ', async () => {
    await world.proxy.query(insert);
    await world.shards[1]?.query("delete from country where code = 'fr'");
    const answer = await world.proxy.request(simple('update country set rank = 7'));
    expect([answer.error?.sqlState, answer.status]).toEqual(['XX001', 'I']);
    expect(await world.shards[0]?.query('select count(*) from country where rank = 7')).toEqual([
      ['0'],
    ]);
    await world.clear();
  });

  it('stay the same under writers at the same time', async () => {
    await world.proxy.query(insert);
    const writers = await Promise.all([1, 2, 3, 4].map(() => world.connect()));
    await Promise.all(
      writers.map(async (writer, index) => {
        for (let round = 0; round < 15; round += 1) {
          await writer.query(
            `update country set rank = (rank * 3 + ${index}) % 1000 where code = 'de'`,
          );
          await writer.query(`insert into country (code) values ('${index}-${round}')`);
        }
        writer.close();
      }),
    );
    expect(await world.differences(['country'])).toEqual([]);
    expect(await world.proxy.query('select count(*), count(distinct seq) from country')).toEqual([
      ['62', '62'],
    ]);
  });
});

describe('DEFAULT over shards', () => {
  beforeEach(() => given(world, accounts, entries));

  it('is one time for the rows of all shards', async () => {
    const { proxy } = world;
    await proxy.query(
      "alter table entry add made timestamptz default now(), add note text default 'n'",
    );
    const times = 'select count(distinct made), count(*) from entry where made is not null';
    try {
      for (const text of [
        'update entry set made = default, note = default',
        'update entry set (amount, made) = row(amount + 1, default)',
        'merge into entry using account on account_id = id when matched then update set made = default, amount = 3 when not matched then do nothing',
        'merge into entry using account on account_id = id and number = 9 when not matched then insert (account_id, number, note) values (id, 9, default)',
        'insert into entry (account_id, number) values (1, 1), (101, 1), (201, 1) on conflict (account_id, number) do update set made = default',
      ]) {
        await proxy.query('update entry set made = null');
        const { error } = await proxy.request(simple(text));
        const [[different, all] = []] = await proxy.query(times);
        expect([text, error?.message, different, Number(all) > 1]).toEqual([
          text,
          undefined,
          '1',
          true,
        ]);
      }
      await proxy.query('update entry set made = now()');
      await proxy.query(
        'merge into entry using account on account_id = id when matched and made < now() then update set made = now()',
      );
      expect((await proxy.query(times))[0]?.[0]).toBe('1');
    } finally {
      await proxy.query('alter table entry drop made, drop note');
    }
  });
});
