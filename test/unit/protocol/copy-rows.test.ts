import { describe, expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import type { CopyFormat } from '../../../src/protocol/copy/copy-format.ts';
import { copyRowReader } from '../../../src/protocol/copy/copy-row-reader.ts';
import { type Random, seededRandom } from '../../support/random.ts';

const text: CopyFormat = {
  kind: 'text',
  delimiter: 9,
  nullText: Buffer.from('\\N'),
  defaultText: Buffer.from('\\D'),
  hasHeader: false,
};
const csv: CopyFormat = {
  kind: 'csv',
  delimiter: 0x2c,
  quote: 0x22,
  escape: 0x22,
  nullText: Buffer.alloc(0),
  defaultText: null,
  hasHeader: false,
};
const notForced = { notNull: false, null: false };
const keyBytesMax = 1_000_000;

type Found = { readonly row: string; readonly key: string; readonly line: number };

/** What a reader finds in the pieces, and how it ends. */
function read(
  format: CopyFormat,
  keyIndex: number,
  pieces: readonly Buffer[],
  forced = notForced,
  max = keyBytesMax,
) {
  const rows: { bytes: Buffer[]; key: string; line: number }[] = [];
  const heads: string[] = [];
  const reader = copyRowReader(
    { format, keyIndex, forced, keyBytesMax: max },
    {
      head: (bytes, start, end, lines) => {
        heads.push(`${lines} ${bytes.toString('latin1', start, end)}`);
      },
      row: (bytes, start, end, { key }) => {
        const told = key.kind === 'value' ? `=${key.bytes.toString('latin1')}` : key.kind;
        const copy = Buffer.from(bytes.subarray(start, end));
        rows.push({ bytes: [copy], key: told, line: reader.line });
      },
      more: (bytes, start, end) => {
        const row = rows.at(-1);
        row?.bytes.push(Buffer.from(bytes.subarray(start, end)));
        if (row !== undefined) row.line = reader.line;
      },
    },
  );
  let failure: string | null = null;
  try {
    for (const piece of pieces) reader.push(piece, 0, piece.length);
    reader.finish();
  } catch (error) {
    if (!(error instanceof PgError)) throw error;
    failure = `${error.message}, line ${reader.line}`;
  }
  const found: Found[] = rows.map(({ bytes, ...row }) => ({
    ...row,
    row: Buffer.concat(bytes).toString('latin1'),
  }));
  return { rows: found, heads, failure, trailer: reader.trailer.length };
}

function cut(random: Random, bytes: Buffer): readonly Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + random.integer(0, 39));
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

function keys(format: CopyFormat, index: number, data: string): readonly string[] {
  return read(format, index, [Buffer.from(data)]).rows.map(({ key }) => key);
}

describe('rows of COPY data', () => {
  it('are the same in whatever pieces the data come', () => {
    const random = seededRandom(1);
    const words = [
      'a',
      'bc',
      '\\',
      '\\\\',
      '\\.',
      '\\N',
      '\t',
      ',',
      '"',
      '""',
      '\n',
      '\r',
      '\r\n',
      '',
      'x'.repeat(90),
    ];
    for (let round = 0; round < 3000; round++) {
      const size = random.integer(0, 39);
      const lineEnd = random.pick(['\n', '\r', '\r\n']);
      const parts = Array.from({ length: size }, () => random.pick([...words, lineEnd, lineEnd]));
      const data = Buffer.from(parts.join(''));
      const format = { ...random.pick([text, csv]), hasHeader: random.integer(0, 3) === 0 };
      const index = random.integer(0, 2);
      const whole = read(format, index, [data]);
      const one = [...data].map((byte) => Buffer.from([byte]));
      expect({ data: data.toString(), ...read(format, index, one) }).toEqual({
        data: data.toString(),
        ...whole,
      });
      expect(read(format, index, cut(random, data))).toEqual(whole);
      if (whole.failure === null && !data.includes('\\.')) {
        const heads = whole.heads.map((head) => head.slice(head.indexOf(' ') + 1));
        expect([...heads, ...whole.rows.map(({ row }) => row)].join('')).toBe(data.toString());
      }
    }
  });

  it('have fields that are unescaped as PostgreSQL does', () => {
    expect(keys(text, 1, 'a\tb\\tc\\\\\\x41\\101\\n\\q\n')).toEqual(['=b\tc\\AA\nq']);
    expect(keys(text, 1, 'a\\\tb\tc\n\\N\t\\N\nx\t\\D\nx\nx\t\n')).toEqual([
      '=c',
      'null',
      'default',
      'missing',
      '=',
    ]);
    expect(keys(text, 0, '\\x4\\x\\8\\1234\\\\N')).toEqual(['=\x04x8S4\\N']);
    expect(keys(text, 0, 'a\\')).toEqual(['=a']);
    expect(keys(csv, 1, 'a,"b,""c"\n"a\n",b"x"c\n,\n,""\n"')).toEqual([
      '=b,"c',
      '=bxc',
      'null',
      '=',
      'broken',
    ]);
    const escaping = { ...csv, escape: 0x5c } as const;
    expect(keys(escaping, 0, '"a\\"b\\\\c\\d",x\n')).toEqual(['=a"b\\c\\d']);
  });

  it('count lines within quotes as PostgreSQL does', () => {
    const { rows } = read(csv, 0, [Buffer.from('a\n"b\n\nc",d\ne\n')]);
    expect(rows.map(({ line }) => line)).toEqual([1, 4, 5]);
  });

  it('are passed on in pieces when they are long, once their key is known', () => {
    const long = Buffer.alloc(300_000, 'x');
    const data = Buffer.concat([Buffer.from('1\t'), long, Buffer.from('\n2\ty\n')]);
    const whole = read(text, 0, [data]);
    expect(whole.rows.map(({ key }) => key)).toEqual(['=1', '=2']);
    const sizes: number[] = [];
    const reader = copyRowReader(
      { format: text, keyIndex: 0, forced: notForced, keyBytesMax },
      {
        head() {},
        row: (_, start, end) => sizes.push(end - start),
        more: (_, start, end) => sizes.push(end - start),
      },
    );
    for (let at = 0; at < data.length; at += 10_000) {
      reader.push(data, at, Math.min(data.length, at + 10_000));
    }
    reader.finish();
    expect(Math.max(...sizes)).toBeLessThan(100_000);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(data.length);
    const pieces = Array.from({ length: 31 }, (_, index) =>
      data.subarray(index * 10_000, index * 10_000 + 10_000),
    );
    expect(read(text, 0, pieces)).toEqual(whole);
  });

  it('must have their key within a limit', () => {
    const row = Buffer.concat([Buffer.alloc(80_000, 'x'), Buffer.from('\t1\n')]);
    const pieces = [row.subarray(0, 70_000), row.subarray(70_000)];
    expect(read(text, 1, pieces, notForced, 70_000).rows).toHaveLength(1);
    expect(read(text, 1, pieces, notForced, 69_999).failure).toContain('first 69999 bytes');
  });

  it('of the binary format are the same in whatever pieces they come', () => {
    const random = seededRandom(2);
    for (let round = 0; round < 300; round++) {
      const data = binaryFile(random);
      const index = random.integer(0, 2);
      const whole = read({ kind: 'binary' }, index, [data]);
      const one = [...data].map((byte) => Buffer.from([byte]));
      expect(read({ kind: 'binary' }, index, one)).toEqual(whole);
      expect(read({ kind: 'binary' }, index, cut(random, data))).toEqual(whole);
    }
  });

  it('of the binary format are passed on in pieces when they are long', () => {
    const value = (bytes: Buffer) => Buffer.concat([int32(bytes.length), bytes]);
    const row = Buffer.concat([
      int16(3),
      value(Buffer.from('k')),
      value(Buffer.alloc(150_000, 'x')),
      value(Buffer.alloc(70_000, 'y')),
    ]);
    const data = Buffer.concat([binaryHead, row, row, int16(-1)]);
    for (const size of [1, 7, 65_536, 100_003]) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < data.length; at += size) pieces.push(data.subarray(at, at + size));
      const { rows, trailer } = read({ kind: 'binary' }, 0, pieces);
      expect(rows.map(({ key, line, row: bytes }) => [key, line, bytes.length])).toEqual([
        ['=k', 1, row.length],
        ['=k', 2, row.length],
      ]);
      expect(trailer).toBe(2);
    }
  });
});

const binaryHead = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');

function binaryFile(random: Random): Buffer {
  const parts: Buffer[] = [binaryHead];
  for (let rows = random.integer(0, 3); rows > 0; rows--) {
    const fields = random.integer(0, 3);
    parts.push(int16(fields));
    for (let field = 0; field < fields; field++) {
      const length = random.integer(0, 4) - 1;
      parts.push(int32(length), Buffer.alloc(Math.max(0, length), 'v'));
    }
  }
  return Buffer.concat(random.integer(0, 2) === 0 ? parts : [...parts, int16(-1)]);
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
