import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CopyAnswer, CopyClient } from '../../support/copy-client.ts';
import { WriteWorld } from '../../support/write-world.ts';

let world: WriteWorld;
let proxy: CopyClient;
let plain: CopyClient;

const rows = String.raw`insert into account (id, owner, balance, note) values
  (1, 'ann', 10, E'a\tb\\c\nd\re'), (2, '', null, '\.'), (101, null, 30, '"x", ''y'''), (102, 'NULL', -1, E'\b\f\v'),
  (201, 'é', 50, ''), (202, 'x,y;z|', 60, null)`;

beforeAll(async () => {
  world = await WriteWorld.start();
  proxy = await CopyClient.connect(world.addresses.proxy);
  plain = await CopyClient.connect(world.addresses.plain);
  for (const text of [
    rows,
    "insert into country (code, name, seq, made, token) values ('a', 'b', 1, now(), 1), ('c', null, 2, now(), 2)",
    "insert into memo values (1, 2, 'home')",
  ]) {
    await world.proxy.query(text);
    await world.plain.query(text);
  }
}, 60_000);

afterAll(async () => {
  proxy?.close();
  plain?.close();
  await world?.stop();
});

/** Both sides tell the same; `inOrder`: and send the same bytes. Otherwise rows may come in any order. */
async function same(text: string, inOrder = false): Promise<string | undefined> {
  let state: string | undefined;
  for (const protocol of ['simple', 'extended'] as const) {
    const [ours, theirs] = [
      await proxy.run({ text, protocol }),
      await plain.run({ text, protocol }),
    ];
    const comparable = ({ tag, error, response, data, status }: CopyAnswer) => ({
      tag,
      error: error?.get('C') ?? null,
      message: error?.get('M') ?? null,
      response: error === null ? response : null,
      data: error !== null ? null : inOrder ? data.toString('latin1') : sorted(data),
      status,
    });
    expect({ text, ...comparable(ours) }).toEqual({ text, ...comparable(theirs) });
    state = ours.error?.get('C') ?? ours.tag ?? undefined;
  }
  return state;
}

/** Characters: lines may be parts of values. */
function sorted(data: Buffer): string {
  return [...data.toString('latin1')].sort().join('');
}

describe('COPY TO STDOUT of a table', () => {
  it('gives the rows of all shards', async () => {
    for (const options of [
      '',
      '(header)',
      "(delimiter '|', null 'nil')",
      '(format csv)',
      "(format csv, header, force_quote *, quote '$', escape '!', delimiter ';')",
      "(format csv, null 'NULL', force_quote (owner))",
      '(format binary)',
      "(encoding 'latin1')",
    ]) {
      expect(await same(`copy account (id, owner, balance, note) to stdout ${options}`)).toBe(
        'COPY 6',
      );
    }
    expect(await same('copy entry to stdout (format binary)')).toBe('COPY 0');
    expect(await same('copy entry to stdout (format csv, header)')).toBe('COPY 0');
    expect(await same('copy binary account (owner, note) to stdout')).toBe('COPY 6');
  });

  it('begins with one header and ends with one trailer', async () => {
    const { data } = await proxy.run({ text: 'copy account (id) to stdout csv header' });
    expect(
      data
        .toString()
        .split('\n')
        .filter((line) => line === 'id'),
    ).toEqual(['id']);
    const binary = await proxy.run({ text: 'copy account (id) to stdout (format binary)' });
    expect(binary.data.length).toBe(19 + 6 * 14 + 2);
    expect(binary.data.readInt16BE(binary.data.length - 2)).toBe(-1);
  });

  it('gives a reference table and a home table once', async () => {
    expect(await same('copy country (code, name) to stdout', true)).toBe('COPY 2');
    expect(await same('copy memo to stdout', true)).toBe('COPY 1');
  });

  it('says what is wrong as PostgreSQL does', async () => {
    expect(await same('copy account (id, nothing) to stdout')).toBe('42703');
    expect(await same("copy account to stdout (delimiter 'ab')")).toBe('0A000');
    expect(await same('copy nothing to stdout')).toBe('42P01');
    expect(await same('copy account to stdout (on_error ignore)')).toBe('22023');
  });

  it('works inside a transaction, and sees what that has written', async () => {
    await world.proxy.query('begin');
    const client = await CopyClient.connect(world.addresses.proxy);
    await client.run({ text: 'begin' });
    await client.run({ text: 'insert into account (id) values (3), (103)' });
    const { tag, status } = await client.run({ text: 'copy account to stdout' });
    expect([tag, status]).toEqual(['COPY 8', 'T']);
    await client.run({ text: 'rollback' });
    client.close();
    await world.proxy.query('rollback');
  });
});

describe('COPY TO STDOUT of a query', () => {
  it('gives what the query gives, in its order', async () => {
    for (const options of [
      '',
      '(header)',
      "(delimiter '|', null 'nil')",
      '(format csv, header)',
      "(format csv, header, force_quote *, quote '$', escape '!', delimiter ';')",
      "(format csv, null 'NULL', force_quote (owner))",
      '(format binary)',
      'with csv header',
    ]) {
      const query = 'select id, owner, balance, note from account order by id desc';
      expect([options, await same(`copy (${query}) to stdout ${options}`, true)]).toEqual([
        options,
        'COPY 6',
      ]);
    }
    expect(await same('copy (select note from account order by id) to stdout csv', true)).toBe(
      'COPY 6',
    );
    expect(
      await same(
        'copy (select owner as "a,b", sum(balance) from account group by 1 order by 1) to stdout csv header',
        true,
      ),
    ).toBe('COPY 6');
    expect(
      await same(
        'copy (select a.id, b.id from account a, account b where a.balance < b.balance order by 1, 2) to stdout',
        true,
      ),
    ).toBe('COPY 10');
    expect(
      await same(
        "copy (select ') to stdout' /* ) to stdout */ from account -- ) to stdout\n) to stdout -- ) to stdout",
        true,
      ),
    ).toBe('COPY 6');
    expect(await same('copy (select owner from account where id = 101) to stdout', true)).toBe(
      'COPY 1',
    );
    expect(await same('copy (select 1, name from country order by 2) to stdout', true)).toBe(
      'COPY 2',
    );
    expect(await same('copy (select * from account where false) to stdout csv header', true)).toBe(
      'COPY 0',
    );
    expect(await same("copy (values (1, 'a')) to stdout (format binary)", true)).toBe('COPY 1');
    expect(
      await same(
        'copy (update account set balance = 10 where id = 1 returning id) to stdout',
        true,
      ),
    ).toBe('COPY 1');
  });

  it('says what is wrong as PostgreSQL does', async () => {
    expect(await same('copy (select nothing from account) to stdout')).toBe('42703');
    expect(await same('copy (select id from account) to stdout (force_quote (id))')).toBe('0A000');
    expect(
      await same('copy (select id from account) to stdout (format csv, force_quote (owner))'),
    ).toBe('42703');
    expect(await same("copy (select id from account) to stdout (delimiter 'ab')")).toBe('0A000');
    expect(await same("copy (select id from account) to stdout (format 'xml')")).toBe('22023');
    expect(await same('copy (select 1 / (id - 101) from account) to stdout')).toBe('22012');
  });

  it('is refused where a statement writes on several shards, and for files of a server', async () => {
    const refused = async (text: string) => (await proxy.run({ text })).error?.get('C');
    expect(
      await refused('copy (insert into account (id) values (7), (107) returning id) to stdout'),
    ).toBe('0A000');
    expect(await refused("copy (select id from account) to '/tmp/x'")).toBe('0A000');
    expect(await refused("copy account from '/tmp/x'")).toBe('0A000');
    expect(await refused("copy account to program 'cat'")).toBe('0A000');
    expect(await refused('copy account (owner) from stdin')).toBe('23502');
  });
});
