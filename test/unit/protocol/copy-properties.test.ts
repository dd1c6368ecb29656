import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import type { CopyFormat } from '../../../src/protocol/copy/copy-format.ts';
import { copyRowReader } from '../../../src/protocol/copy/copy-row-reader.ts';
import { anyCuts, anyValue, byteByByte, cutAt, damaged } from '../../support/properties.ts';

const marks = fc.record({
  delimiter: fc.constantFrom(9, 0x2c, 0x7c),
  nullText: fc.constantFrom(Buffer.from('\\N'), Buffer.alloc(0), Buffer.from('nil')),
  defaultText: fc.constantFrom(null, Buffer.from('\\D')),
  hasHeader: fc.boolean(),
});
const textFormat: fc.Arbitrary<CopyFormat> = marks.map((all) => ({ kind: 'text', ...all }));
const csvFormat: fc.Arbitrary<CopyFormat> = fc
  .tuple(marks, fc.constantFrom(0x22, 0x27), fc.constantFrom(0x22, 0x5c))
  .map(([all, quote, escaping]) => ({ kind: 'csv', ...all, quote, escape: escaping }));

const word = fc.constantFrom(
  'a',
  'bc',
  '\\',
  '\\\\',
  '\\.',
  '\\N',
  '\\x41',
  '\\1',
  '\t',
  ',',
  '|',
  '"',
  '""',
  "'",
  '\n',
  '\r',
  '\r\n',
  '',
  '\0',
  'é',
  'nil',
  'x'.repeat(90),
);
const lines = fc.array(word, { maxLength: 60 }).map((words) => Buffer.from(words.join('')));

const rows = fc.array(fc.array(anyValue, { maxLength: 4 }), { maxLength: 5 });
const binary = fc.tuple(rows, fc.boolean()).map(([all, isEnded]) => {
  const int = (size: 2 | 4, value: number) => {
    const bytes = Buffer.alloc(size);
    bytes.writeIntBE(value, 0, size);
    return bytes;
  };
  const head = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
  const body = all.flatMap((values) => [
    int(2, values.length),
    ...values.flatMap((value) => (value === null ? [int(4, -1)] : [int(4, value.length), value])),
  ]);
  return Buffer.concat([head, ...body, isEnded ? int(2, -1) : Buffer.alloc(0)]);
});

const notForced = { notNull: false, null: false };
const keyBytesMax = 100_000;

/** Rows with their keys and line numbers, and the mistake that ended it. */
function read(format: CopyFormat, keyIndex: number, pieces: readonly Buffer[]) {
  const found: { bytes: Buffer[]; key: string; line: number }[] = [];
  const heads: string[] = [];
  const reader = copyRowReader(
    { format, keyIndex, forced: notForced, keyBytesMax },
    {
      head: (bytes, start, end, count) => {
        heads.push(`${count} ${bytes.toString('latin1', start, end)}`);
      },
      row: (bytes, start, end, { key }) => {
        const told = key.kind === 'value' ? `=${key.bytes.toString('latin1')}` : key.kind;
        found.push({
          bytes: [Buffer.from(bytes.subarray(start, end))],
          key: told,
          line: reader.line,
        });
      },
      more: (bytes, start, end) => {
        const row = found.at(-1);
        row?.bytes.push(Buffer.from(bytes.subarray(start, end)));
        if (row !== undefined) row.line = reader.line;
      },
    },
  );
  let failure: string | null = null;
  try {
    for (const piece of pieces) {
      const chunk = Buffer.from(piece);
      reader.push(chunk, 0, chunk.length);
      chunk.fill(0xee);
    }
    reader.finish();
  } catch (error) {
    if (!(error instanceof PgError)) throw error;
    failure = `${error.sqlState} ${error.message}, line ${reader.line}`;
  }
  const told = found.map(({ bytes, key, line }) => {
    return { row: Buffer.concat(bytes).toString('latin1'), key, line };
  });
  return { heads, rows: told, failure, trailer: reader.trailer.length };
}

describe.each([
  ['text', textFormat, lines],
  ['CSV', csvFormat, lines],
  ['binary', fc.constant<CopyFormat>({ kind: 'binary' }), binary],
] as const)('COPY data in %s format', (_, format, content) => {
  it('has the same rows and keys, or the same mistake, however it is cut', () => {
    const sent = fc.oneof(content, damaged(content));
    fc.assert(
      fc.property(format, fc.nat(3), sent, anyCuts, (how, keyIndex, bytes, cuts) => {
        const whole = read(how, keyIndex, [bytes]);
        expect(read(how, keyIndex, cutAt(bytes, cuts))).toEqual(whole);
        expect(read(how, keyIndex, byteByByte(bytes))).toEqual(whole);
      }),
    );
  });

  it('loses and adds no byte', () => {
    fc.assert(
      fc.property(format, content, (how, bytes) => {
        const { heads, rows: found, failure } = read(how, 0, [bytes]);
        if (failure !== null) return;
        const head = heads.map((text) => text.slice(text.indexOf(' ') + 1)).join('');
        const passed = head + found.map(({ row }) => row).join('');
        expect(bytes.toString('latin1').startsWith(passed)).toBe(true);
      }),
    );
  });
});
