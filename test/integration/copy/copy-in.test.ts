import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CopyClient, type CopyRequest } from '../../support/copy-client.ts';
import { WriteWorld } from '../../support/write-world.ts';

let world: WriteWorld;
let proxy: CopyClient;
let plain: CopyClient;

beforeAll(async () => {
  world = await WriteWorld.start();
  proxy = await CopyClient.connect(world.addresses.proxy);
  plain = await CopyClient.connect(world.addresses.plain);
}, 60_000);

afterAll(async () => {
  proxy?.close();
  plain?.close();
  await world?.stop();
});

beforeEach(() => world.clear());

/** Both sides tell the same, whether data come in one piece or byte by byte, and store the same. */
async function same(text: string, data: string | Buffer, more: Partial<CopyRequest> = {}) {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  const told: unknown[] = [];
  for (const pieces of [[bytes], [...bytes].map((byte) => Buffer.from([byte]))]) {
    for (const protocol of ['simple', 'extended'] as const) {
      await world.clear();
      const request = { text, data: pieces, protocol, ...more };
      const [ours, theirs] = [await proxy.run(request), await plain.run(request)];
      const comparable = ({ tag, error, notices, status, response }: typeof ours) => ({
        tag,
        error: error === null ? null : [error.get('C'), error.get('M'), error.get('W')],
        notices: notices.map((fields) => fields.get('M')).sort(),
        status,
        response,
      });
      expect({ text, protocol, ...comparable(ours) }).toEqual({
        text,
        protocol,
        ...comparable(theirs),
      });
      told.push(comparable(ours).error?.[0] ?? ours.tag);
      expect(await world.differences()).toEqual([]);
    }
  }
  return told[0];
}

const withDefaults = "copy account (id, note, balance) from stdin (default '\\D')";
const accounts = 'copy account (id, owner, balance) from stdin';

/** Rows in binary format: text values of text columns, numbers of int8 ones, null. */
function binary(rows: readonly (readonly (string | number | null)[])[]): Buffer {
  const parts: Buffer[] = [Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')];
  for (const row of rows) {
    parts.push(int16(row.length));
    for (const value of row) {
      const bytes = typeof value === 'number' ? int8(value) : Buffer.from(value ?? '');
      parts.push(int32(value === null ? -1 : bytes.length), bytes);
    }
  }
  return Buffer.concat([...parts, int16(-1)]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int8(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

describe('rows that the client copies in', () => {
  it('go to the shards of their keys, in text format', async () => {
    const rows = '1\tann\t10\n101\tbob\t20\n201\t\\N\t30\n2\tc\\td\\\\\\n\t40\n';
    expect(await same(accounts, rows)).toBe('COPY 4');
    expect(await same(accounts, rows.replaceAll('\n', '\r\n'))).toBe('COPY 4');
    expect(await same(accounts, rows.replaceAll('\n', '\r'))).toBe('COPY 4');
    expect(await same(accounts, rows.slice(0, -1))).toBe('COPY 4');
    expect(await same(accounts, `${rows}\\.\nwhat follows is ignored\n`)).toBe('COPY 4');
    expect(await same(accounts, '')).toBe('COPY 0');
  });

  it('go there whatever marks the client chooses', async () => {
    expect(await same(`${accounts} (delimiter '|', null 'nil')`, '1|a\\|b|nil\n101|nil|3\n')).toBe(
      'COPY 2',
    );
    expect(await same(`${accounts} with delimiter as ';' null as ''`, '1;;3\n101;\\\\;4\n')).toBe(
      'COPY 2',
    );
    expect(await same(`${accounts} (header)`, 'a\tb\tc\n1\tx\t2\n101\ty\t3\n')).toBe('COPY 2');
    expect(await same(`${accounts} (header match)`, 'id\towner\tbalance\n1\tx\t2\n')).toBe(
      'COPY 1',
    );
    expect(await same(`${accounts} (header match)`, 'id\towner\tlength\n1\tx\t2\n')).toBe('22P04');
    expect(
      await same('copy account from stdin', '101\tx\t2\t2024-01-01\t2024-01-01 10:00+00\tn\n'),
    ).toBe('COPY 1');
    expect(await same('copy account (balance, id) from stdin', '5\t\\1\\x30\\60\n6\t201\n')).toBe(
      '22P02',
    );
    expect(await same('copy account (balance, id) from stdin', '5\t\\x310\\60\n6\t20\\x31\n')).toBe(
      'COPY 2',
    );
    expect(await same(withDefaults, '1\t\\D\t2\n101\tx\t3\n')).toBe('COPY 2');
    expect(
      await same(
        `${accounts} (encoding 'latin1')`,
        Buffer.from('1\tM\xfcller\t2\n101\tx\t3\n', 'latin1'),
      ),
    ).toBe('COPY 2');
    expect(
      await same(`${accounts} where balance > 2`, '1\ta\t1\n101\tb\t2\n201\tc\t3\n102\td\t4\n'),
    ).toBe('COPY 2');
  });

  it('go there in CSV', async () => {
    const csv = 'copy account (owner, id, balance) from stdin csv';
    const rows = '"a,""b""\nc",1,10\n,"101",20\n"",2"0"1,30\nd,\\.,4\n';
    expect(await same(csv, rows)).toBe('22P02');
    expect(await same(csv, rows.replace('d,\\.,4\n', '\\.,2,4\n'))).toBe('COPY 4');
    expect(await same(`${csv} header`, `x,y,z\n${rows.replace('\\.', '2')}`)).toBe('COPY 4');
    expect(await same(`${csv} header`, `"x\nx",y,z\n${rows.replace('\\.', 'no')}`)).toBe('22P02');
    expect(await same(`${csv} quote '\\'`, '\\a\n,b\\,\\101\\,3\nc,2,4\n')).toBe('COPY 2');
    expect(
      await same(`${csv} quote '$' escape '!' delimiter '|'`, '$a!$!!|b$|$10!1$|3\nc|2|4\n'),
    ).toBe('22P02');
    expect(
      await same(`${csv} quote '$' escape '!' delimiter '|'`, '$a!$!!|b$|$101$|3\nc|2|4\n'),
    ).toBe('COPY 2');
    expect(await same(`${csv} null 'x' force not null owner`, 'x,1,x\n"x",101,2\n')).toBe('COPY 2');
    expect(
      await same(
        'copy place (size, code) from stdin (format csv, force_not_null (code), force_null (size))',
        '"",\n3,"x"\n4,a\n',
      ),
    ).toBe('COPY 3');
    expect(
      await same(
        "copy place (code, city) from stdin (format csv, null 'nil', force_null *)",
        '"nil",b\n',
      ),
    ).toBe('23502');
    expect(await same('copy place (code, city) from stdin csv', '"zoe""s",b\n"h\ni",c\r')).toBe(
      '22P04',
    );
    expect(
      await same('copy place (code, city) from stdin csv', '"zoe""s",b\n"h\r\ni",c\n"m\n\n",\n'),
    ).toBe('COPY 3');
  });

  it('go there in binary format', async () => {
    const text = 'copy account (owner, id, note) from stdin (format binary)';
    const rows = binary([
      ['a', 1, null],
      [null, 101, 'b'],
      ['c', 201, ''],
    ]);
    expect(await same(text, rows)).toBe('COPY 3');
    expect(await same(text, rows.subarray(0, -2))).toBe('COPY 3');
    expect(await same(text, binary([]))).toBe('COPY 0');
    expect(await same(text, rows.subarray(0, -6))).toBe('22P04');
    expect(await same(text, rows.subarray(0, 12))).toBe('22P04');
    expect(await same(text, Buffer.from('1\ta\tb\n'))).toBe('22P04');
    expect(await same(text, Buffer.alloc(0))).toBe('22P04');
    expect(await same(text, Buffer.concat([rows, rows]))).toBe('22P04');
    expect(await same(text, binary([['a', 1, null], ['b']]))).toBe('22P04');
    expect(
      await same(
        text,
        binary([
          ['a', 101, null],
          ['b', 1, 'c', 'd'],
        ]),
      ),
    ).toBe('22P04');
    expect(
      await same(
        text,
        binary([
          ['a', 101, null],
          ['b', 'key', 'c'],
        ]),
      ),
    ).toBe('08P01');
    expect(
      await same(
        text,
        binary([
          ['a', 101, null],
          ['b', null, 'c'],
        ]),
      ),
    ).toBe('23502');
    const broken = Buffer.concat([rows.subarray(0, -2), int16(3), int32(-5)]);
    expect(await same(text, broken)).toBe('22P04');
  });

  it('name the line and the column of a mistake as PostgreSQL does', async () => {
    const good = '1\ta\t1\n101\tb\t2\n201\tc\t3\n2\td\t4\n102\te\t5\n';
    for (const [line, sqlState] of [
      ['103\tx', '22P04'],
      ['103', '22P04'],
      ['', '22P02'],
      ['\tx\t3', '22P02'],
      ['103\tx\t3\t4', '22P04'],
      ['abc\tx\t3', '22P02'],
      ['103\tx\tabc', '22P02'],
      ['99999999999999999999\tx\t3', '22003'],
      ['\\N\tx\t3', '23502'],
      ['\\N\tx\tabc', '22P02'],
      ['101\tx\t3', '23505'],
      ['1\tx\t3', '23505'],
      ['103\tx\r\t3', '22P04'],
      ['103\tx\t\\.\n', '22P04'],
      ['\\.x', '22P04'],
      ['\\.\r', '22P04'],
      ['103\tx\u0000\t3', '22021'],
    ] as const) {
      expect([line, await same(accounts, `${good}${line}\n`)]).toEqual([line, sqlState]);
      expect([line, await same(accounts, `${good}${line}\n203\tz\t3\n`)]).toEqual([line, sqlState]);
    }
    expect(await same(accounts, `${good.replaceAll('\n', '\r\n')}3\ta\nb\t3\r\n`)).toBe('22P04');
    expect(
      await same(
        accounts,
        Buffer.concat([Buffer.from(good), Buffer.from([0x33, 9, 0xc3, 9, 0x31, 10])]),
      ),
    ).toBe('22021');
    const csv = 'copy account (owner, id, balance) from stdin (format csv, header)';
    expect(await same(csv, 'h,h,h\n"a\nb",1,1\n"c\nd",101,2\ne,x,3\n')).toBe('22P02');
    expect(await same(csv, 'h,h,h\n"a\nb",1,1\n"c\nd",101,2\n"e,2,3\nf,3,4\n')).toBe('22P04');
    expect(await same(csv, 'h,h,h\n"a\nb",1,1\nb,2,"\nf,3,4\n')).toBe('22P04');
    expect(await same(csv, 'h,h,h\n"a\nb",1,1\nb,101,"3\n')).toBe('22P04');
  });

  it('are left out with ON_ERROR ignore, and counted over all shards', async () => {
    const rows = '1\ta\t1\nx\tb\t2\n101\tc\tx\n2\td\tx\n201\te\t5\n';
    const ignore = `${accounts} (on_error ignore`;
    expect(await same(`${ignore})`, rows)).toBe('COPY 2');
    expect(await same(`${ignore}, log_verbosity verbose)`, rows)).toBe('COPY 2');
    expect(await same(`${ignore}, reject_limit 3)`, rows)).toBe('COPY 2');
    expect(await same(`${ignore}, reject_limit 3, log_verbosity 'silent')`, rows)).toBe('COPY 2');
    expect(await same(`${ignore}, reject_limit 2)`, rows)).toBe('22P02');
    expect(await same(`${ignore}, reject_limit 1)`, rows)).toBe('22P02');
    expect(await same(`${ignore})`, `${rows}\\N\tf\t3\n`)).toBe('23502');
  });

  it('leave nothing behind when the client gives up', async () => {
    expect(await same(accounts, '1\ta\t1\n101\tb\t2\n201\tc\t3\n', { fail: 'no more' })).toBe(
      '57014',
    );
    expect(await same(accounts, '1\ta\t1\n101\tb\tx\n201\tc\t3\n', { fail: 'no more' })).toBe(
      '22P02',
    );
  });

  it('are refused where the statement is wrong', async () => {
    for (const text of [
      'copy account (id, nothing) from stdin',
      'copy account (id, id) from stdin',
      'copy account from stdin (format xml)',
      "copy account from stdin (delimiter 'ab')",
      "copy account from stdin (quote 'x')",
      'copy account (id, twice) from stdin',
      'copy account from stdin where nothing > 1',
      'copy nothing from stdin',
    ]) {
      const state = await same(text, '1\n');
      expect([text, typeof state === 'string' && state.startsWith('COPY')]).toEqual([text, false]);
    }
  });
});

describe('columns that the client leaves to their defaults', () => {
  const stored = 'select code, name, rank, seq from country order by seq';

  /** Copies are alike, with what PostgreSQL would have stored as far as that can be foreseen. */
  async function alike(text: string, data: string | Buffer, more: Partial<CopyRequest> = {}) {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    let told: unknown = null;
    for (const protocol of ['simple', 'extended'] as const) {
      for (const pieces of [[bytes], [...bytes].map((byte) => Buffer.from([byte]))]) {
        await world.clear();
        const request = { text, data: pieces, protocol, ...more };
        const [ours, theirs] = [await proxy.run(request), await plain.run(request)];
        const lineOf = (error: typeof ours.error) => error?.get('W')?.split(':')[0];
        const comparable = ({ tag, error, status, response }: typeof ours) => {
          return [tag, error?.get('C'), error?.get('M'), lineOf(error), status, response];
        };
        expect([text, ...comparable(ours)]).toEqual([text, ...comparable(theirs)]);
        expect(await world.differences(['country'])).toEqual([]);
        expect(await world.proxy.query(stored)).toEqual(await world.plain.query(stored));
        told = ours.error?.get('C') ?? ours.tag;
      }
    }
    return told;
  }

  it('come out the same in every copy of a reference table', async () => {
    const rows = 'de\tGermany\t1\nfr\t\\N\t2\nit\tIta\\nlia\t3\n';
    const copied = 'copy country (code, name, rank) from stdin';
    expect(await alike(copied, rows)).toBe('COPY 3');
    expect(await alike(copied, `${rows}\\.\n`)).toBe('COPY 3');
    expect(await alike(copied, '')).toBe('COPY 0');
    expect(await alike('copy country (name, code) from stdin (header)', 'a\tb\nc\td\n')).toBe(
      'COPY 1',
    );
    const csv = 'copy country (code, name) from stdin (format csv, header match';
    expect(await alike(`${csv})`, 'code,name\nde,"a\nb"\nfr,c\n')).toBe('COPY 2');
    expect(
      await alike(`${csv}, force_null *, quote '$', escape '/')`, 'code,name\n$de$,$$\n'),
    ).toBe('COPY 1');
    expect(await alike(`${csv})`, 'code,nam\nde,a\n')).toBe('22P04');
    const bytes = binary([
      ['de', 'Germany'],
      ['fr', null],
    ]);
    expect(await alike('copy country (code, name) from stdin (format binary)', bytes)).toBe(
      'COPY 2',
    );
  });

  it('are computed for good rows only', async () => {
    const copied = 'copy country (code, name) from stdin';
    expect(await alike(copied, 'de\ta\nfr\n')).toBe('22P04');
    expect(await alike(copied, 'de\ta\nfr\tb\tc\n')).toBe('22P04');
    expect(await alike(copied, 'de\ta\nde\tb\n')).toBe('23505');
    expect(await alike(copied, 'de\ta\nfr\tb\n', { fail: 'no more' })).toBe('57014');
    expect(
      await alike('copy country (code, rank) from stdin (on_error ignore)', 'a\tx\nb\t2\n'),
    ).toBe('COPY 1');
    expect(await alike('copy country (code, nothing) from stdin', 'a\tx\n')).toBe('42703');
  });

  it('are one time for the rows of a reference table that are not held back', async () => {
    const text = 'copy country (code, seq, token) from stdin';
    expect(await alike(text, 'de\t1\t0.5\nfr\t2\t1.5\n')).toBe('COPY 2');
    const times = await world.proxy.query('select count(*), count(distinct made) from country');
    expect(times).toEqual([['2', '1']]);
  });

  it('are one time for the rows of all shards, that of their transaction', async () => {
    const { proxy: session } = world;
    await session.query(
      "alter table place add made timestamptz default now(), add day date default ('now'::text)::date",
    );
    try {
      const data = [Buffer.from('berlin,1\nlondon,2\nparis,3\n')];
      const text = 'copy place (code, size) from stdin (format csv)';
      expect((await proxy.run({ text, data })).tag).toBe('COPY 3');
      expect((await proxy.run({ text: 'begin; savepoint s' })).status).toBe('T');
      const more = [Buffer.from('bonn,1\nlima,2\nrome,3\n')];
      expect((await proxy.run({ text, data: more, protocol: 'extended' })).tag).toBe('COPY 3');
      expect((await proxy.run({ text: 'commit' })).tag).toBe('COMMIT');
      const times =
        'select made, count(*), min(day) = current_date from place group by made order by 1';
      expect((await session.query(times)).map(([, ...rest]) => rest)).toEqual([
        ['3', 't'],
        ['3', 't'],
      ]);
    } finally {
      await session.query('alter table place drop made, drop day');
    }
  });

  it('are refused where a mark in the row stands for them', async () => {
    const text = "copy country (code, made) from stdin (default 'x')";
    const { error } = await proxy.run({ text, data: [Buffer.from('de\tx\n')] });
    expect(error?.get('C')).toBe('0A000');
    const plainMark = "copy country (code, rank) from stdin (default 'x')";
    expect(await alike(plainMark, 'de\tx\n')).toBe('22P04');
  });
});
