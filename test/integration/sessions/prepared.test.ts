import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BothSides } from '../../support/both-sides.ts';
import { RawClient, startupPacket } from '../../support/raw-client.ts';
import { entrySchema } from '../../support/served-cluster.ts';
import { encodeClientMessage, serverMessageText, splitMessages } from '../../support/wire-text.ts';

const schema = `${entrySchema};
  create table made (id serial primary key, note text);
  create function told(number int) returns int language plpgsql as $$
    begin perform set_config('app.told', number::text, false); return number; end $$`;

let sides: BothSides;

beforeAll(async () => {
  const more = 'authentication: trust';
  sides = await BothSides.start({ shards: ['a', 'b'], schema, workers: 1, more });
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

  it('say where a mistake is', async () => {
    const clients = await Promise.all([sides.served.connect(), sides.connectPlain()]);
    for (const text of [
      'prepare p as select nope from entry',
      'PREPARE long_name (int, text) AS  select id from entry where id = $1 and nope = $2',
      'select 1; prepare p as select id from entry where id = nope',
    ]) {
      const [ours, theirs] = await Promise.all(
        clients.map((client) => client.query(text).catch((error) => error.position)),
      );
      expect([text, ours]).toEqual([text, theirs]);
    }
    await Promise.all(clients.map((client) => client.end()));
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

/** What is said on both sides to messages that are sent line by line, each line after the answer. */
async function conversation(lines: readonly string[]): Promise<void> {
  const told: (readonly string[])[] = [];
  for (const port of [sides.served.port, sides.plain.server.port]) {
    const client = await RawClient.connect(port);
    client.socket.write(startupPacket({ user: 'app', database: 'app' }));
    await sides.served.until('the login', () => client.readyCount === 1);
    const seen: string[] = [];
    for (const line of lines) {
      client.received = Buffer.alloc(0);
      const messages = splitMessages(line);
      client.socket.write(Buffer.concat(messages.map(encodeClientMessage)));
      const ends = messages.at(-1)?.[0] === 'Flush' ? 'sCE' : 'Z';
      const isAnswered = () => [...ends].some((letter) => client.messages(letter).length > 0);
      await sides.served.until(`an answer to ${line}`, isAnswered);
      seen.push(...framesOf(client.received).map(serverMessageText));
    }
    client.close();
    told.push(seen.filter((each) => !each.startsWith('ParameterStatus')));
  }
  expect(told[0]).toEqual(told[1]);
}

function framesOf(received: Buffer): readonly Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at + 5 <= received.length; ) {
    const end = at + 1 + received.readInt32BE(at + 1);
    frames.push(received.subarray(at, end));
    at = end;
  }
  return frames;
}

describe('a statement with parameters', () => {
  it('names them when it is described, whatever it is', async () => {
    await conversation([
      'Parse "d" "declare c cursor for select note from entry where id > $1 and note = $2", Describe statement "d", Sync',
      'Parse "" "declare c cursor for select $1::int + $2", Describe statement "", Sync',
      'Parse "e" "explain select note from entry where id = $1", Describe statement "e", Sync',
    ]);
  });

  it.each([
    ['on one shard', 'select note from entry where id = $1'],
    ['over several', 'select id from entry where note = $1'],
    ['that it inserts', 'insert into entry values ($1, null)'],
    ['of a cursor', 'declare c cursor for select note from entry where id > $1'],
    ['of a new table', 'create temp table never as select $1::int as a'],
  ])('is bound to as many values only: %s', async (_, text) => {
    await conversation([
      `Parse "s" "${text}", Sync`,
      'Bind "" "s", Execute "", Sync',
      'Bind "" "s" "1" "2", Execute "", Sync',
      `Parse "" "${text}", Bind "" "", Execute "", Sync`,
    ]);
  });
});

describe('COPY by the extended protocol', () => {
  const copy = (table: string) => `Parse "" "copy ${table} from stdin", Bind "" "", Execute ""`;

  it.each(['setting', 'entry'])('takes data that come behind it at once: %s', async (table) => {
    await conversation([
      `${copy(table)}, CopyData "9001\\tx\\n", CopyDone, Parse "" "select 1", Bind "" "", Execute "", Sync`,
      `${copy(table)}, CopyData "9002\\tx\\n", CopyFail "no more", Sync`,
      `${copy(table)}, CopyDone, Sync`,
      `${copy(table)}, Sync, CopyData "bad\\n", CopyDone, Sync`,
      `${copy(table)}, CopyData "bad\\n", CopyDone, Execute "", Sync`,
      `Parse "" "select 1", Bind "" "", Execute "", CopyData "bad", CopyDone, Execute "", Sync`,
      `Query "delete from ${table} where ${table === 'entry' ? 'id = 9001' : "name = '9001'"}"`,
    ]);
  });
});

describe('a portal that is read in pieces', () => {
  const open = (text: string, rows: number) =>
    `Parse "" "${text}", Bind "" "", Describe portal "", Execute "" ${rows}`;
  const setting = 'select told(g) from generate_series(1, 5) g';
  const inserting = "insert into made (note) values ('a'), ('b'), ('c') returning note";

  beforeAll(async () => {
    // From now on values of sequences are taken down.
    const client = await sides.served.connect();
    await client.query('select lastval()').catch(() => {});
    await client.end();
  });

  it.each([
    ['', 'Flush', []],
    [' in a transaction', 'Flush', ['Query "begin"']],
    [' in a transaction, with Sync', 'Sync', ['Query "begin"']],
  ])('goes on though functions set something and rows get ids%s', async (_, end, begin) => {
    for (const [text, check] of [
      [setting, 'show app.told'],
      [inserting, 'select count(*) from made'],
    ] as const) {
      await conversation([
        ...begin,
        `${open(text, 2)}, ${end}`,
        `Execute "" 2, ${end}`,
        'Execute "" 2, Sync',
        ...begin.map(() => 'Query "commit"'),
        `Query "${check}"`,
      ]);
    }
  });

  it.each([
    ['a Query', 'Query "select 1"'],
    ['a Bind on another shard', `${open('select id from entry where id > 1000000', 0)}, Sync`],
    ['a Bind on its own', `${open('select id from entry where id = 1', 0)}, Sync`],
    ['a Bind on all', `${open('select id from entry order by id', 0)}, Sync`],
    ['Close', 'Close portal "", Sync'],
  ])('uses no table any more when it is closed by %s', async (_, closing) => {
    await conversation([
      'Query "begin"',
      `${open('select id from entry where id < 1000 order by note', 1)}, Sync`,
      'Execute "" 1, Sync',
      closing,
      'Query "alter table entry add extra int"',
      'Query "rollback"',
    ]);
  });

  it('is moved over several shards', async () => {
    const bind = 'Parse "s" "select id from entry order by id", Bind "p" "s", Sync';
    await conversation([
      'Query "begin"',
      bind,
      'Execute "p" 1, Sync',
      'Query "move 1 in p"',
      'Execute "p" 1, Sync',
      'Query "move 0 in p; move absolute 4 in p; move relative 2 in p"',
      'Query "move all in p; move all in p; move 0 in p"',
      'Execute "p", Sync',
      'Query "commit"',
      'Query "begin; savepoint one"',
      'Bind "p" "s", Sync',
      'Query "move relative 2 in p"',
      'Describe portal "p", Execute "p" 1, Sync',
      'Query "move backward 1 in p"',
      'Query "rollback to one"',
      'Query "move 1 in p"',
      'Query "rollback"',
    ]);
  });
});
