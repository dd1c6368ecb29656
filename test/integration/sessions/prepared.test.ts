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
