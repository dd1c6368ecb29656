import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BothSides } from '../../support/both-sides.ts';
import { entrySchema } from '../../support/served-cluster.ts';

let sides: BothSides;

beforeAll(async () => {
  sides = await BothSides.start({ shards: ['a', 'b'], schema: entrySchema, workers: 1 });
  const { served, plain } = await sides.run([
    "insert into entry values (1, 'one'), (2, 'two'), (1000001, 'far'), (1000002, 'two')",
  ]);
  expect(served).toEqual(plain);
});

afterAll(async () => {
  await sides?.stop();
});

async function same(statements: readonly string[]): Promise<void> {
  const { served, plain } = await sides.run(statements);
  expect(served).toEqual(plain);
}

describe('PREPARE, EXECUTE and DEALLOCATE', () => {
  it.each([
    [
      'by the key',
      'select * from entry where id = $1',
      ['(1)', '(1000001)', "('2')", '(1 + 1)', '(null)', '(1000000 + 2)'],
    ],
    [
      'with types',
      'select id, $2 as given from entry where id = $1',
      ["(1, 'x')", '(1000001, 5)', "(2, 'it''s')"],
      '(int, text)',
    ],
    [
      'over shards',
      'select note, count(*) from entry where note <> $1 group by note order by note',
      ["('one')", "(lower('TWO'))"],
    ],
    [
      'inserting',
      'insert into entry values ($1, $2) returning *',
      ["(11, 'x')", "(1000011, now()::date::text || 'y' is null)", "(1, 'taken')"],
    ],
    ['writing over shards', "update entry set note = $1 where note = 'x'", ["('changed')"]],
    ['without parameters', 'select count(*) from entry', ['', '()']],
    [
      'without tables',
      'select $1::int + $2 as sum',
      ['(1, 2)', '(1)', "('x', 1)", '(2147483648, 1)', '(1.6, 1)'],
    ],
    ['without rows', 'delete from entry where id = $1', ['(11)', '(1000011)']],
    ['of values', 'values (1, $1::text), (2, $1)', ["('a')"]],
    ['that is wrong', 'select no_such_column from entry where id = $1', ['(1)']],
  ])('answer as in one PostgreSQL: %s', async (_, query, calls, types = '') => {
    await same([
      `prepare p ${types} as ${query}`,
      ...calls.map((call) => `execute p${call}`),
      'begin',
      `execute p${calls[0]}`,
      'rollback',
      'prepare p as select 1',
      'deallocate p',
      'execute p(1)',
      'deallocate p',
    ]);
  });

  it('share their names with the protocol', async () => {
    const answers = [];
    for (const client of [await sides.served.connect(), await sides.connectPlain()]) {
      const seen: unknown[] = [];
      const run = async (query: string | { name: string; text: string; values: unknown[] }) => {
        try {
          seen.push((await client.query(query as string)).rows);
        } catch (error) {
          seen.push((error as { code: string; message: string }).message);
        }
      };
      await run({ name: 'one', text: 'select note from entry where id = $1::int', values: [1] });
      await run('execute one(1000001)');
      await run('prepare one as select 1');
      await run('prepare two as select id from entry where note = $1 order by id');
      await run("execute two('two')");
      await run('deallocate all');
      await run("execute two('two')");
      await run('discard all');
      await run({ name: 'three', text: "execute two('two')", values: [] });
      await run('prepare two as select id from entry where note = $1 order by id');
      await run({ name: '', text: "execute two('two')", values: [] });
      await client.end();
      answers.push(seen);
    }
    expect(answers[0]).toEqual(answers[1]);
  });

  it('notice that a table has changed', async () => {
    const [client, admin] = await Promise.all([sides.served.connect(), sides.served.connect()]);
    await client.query('prepare p as select * from setting where name = $1');
    await client.query("execute p('x')");
    await admin.query('alter table setting add more int');
    const seen = await client
      .query("execute p('x')")
      .catch((error: { code: string }) => error.code);
    if (typeof seen === 'string') expect(seen).toBe('0A000');
    const { fields } = await client.query("execute p('x')");
    expect(fields.map(({ name }) => name)).toEqual(['name', 'value', 'more']);
    await admin.query('alter table setting drop more');
    await Promise.all([client.end(), admin.end()]);
  });
});

describe('the protocol to its limits', () => {
  it.each([32_768, 65_535])('takes %i parameters, on one shard and over several', async (count) => {
    const clients = [await sides.served.connect(), await sides.connectPlain()];
    const numbers = Array.from({ length: count }, (_, index) => index);
    const list = numbers.map((index) => `$${index + 1}`).join(',');
    const texts = [
      `select note from entry where id in (${list}) order by id`,
      `select count(*), sum(n) from (select unnest(array[${list}]::int[]) as n) s`,
    ];
    const values = numbers.map((index) => (index % 2 === 0 ? index : 1_000_000 + index));
    const seen = [];
    for (const client of clients) {
      for (const text of texts) {
        seen.push((await client.query({ text, values, rowMode: 'array' })).rows);
      }
      await client.end();
    }
    expect(seen.slice(0, 2)).toEqual(seen.slice(2));
    expect(seen[0]).toEqual([['two'], ['far']]);
  });

  it('has large objects, in transactions and without', async () => {
    await same([
      "select lo_from_bytea(70001, 'abc')",
      "select lo_put(70001, 3, 'def')",
      "select encode(lo_get(70001), 'escape')",
      'begin',
      'select lo_creat(-1) > 0',
      'select lo_open(70001, 393216)',
      'select lo_lseek(0, 2, 0)',
      "select encode(loread(0, 3), 'escape')",
      "select lowrite(0, 'XYZ')",
      'select count(*) from entry',
      'select lo_tell(0), lo_truncate(0, 7), lo_close(0)',
      'commit',
      "select encode(lo_get(70001), 'escape')",
      'begin',
      'select lo_unlink(70001)',
      'rollback',
      'select lo_unlink(70001)',
      'select lo_get(70001)',
      'select lo_open(70001, 131072)',
    ]);
  });

  it('has transactions that are SERIALIZABLE, READ ONLY and DEFERRABLE', async () => {
    await same([
      'begin isolation level serializable read only deferrable',
      'select note from entry where id = 1000001',
      'show transaction_deferrable',
      "update entry set note = 'x' where id = 1000001",
      'rollback',
      'start transaction read only, isolation level serializable, deferrable',
      'select note from entry where id = 1',
      'commit',
    ]);
  });
});
