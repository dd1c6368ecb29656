import { describe, expect, it } from 'vitest';
import { CopyRowWriter } from '../../../src/protocol/copy/copy-row-writer.ts';

const signature = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const trailer = Buffer.from([0xff, 0xff]);
/** One int4 column, 1 and 2. */
const row = (value: number) => Buffer.from([0, 1, 0, 0, 0, 4, 0, 0, 0, value]);

function message(code: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head.write(code);
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

describe('a binary COPY TO STDOUT', () => {
  it('has its signature in one message with the first row, as a server sends it', () => {
    const writer = new CopyRowWriter({ kind: 'binary' }, [{ name: 'id', isForceQuoted: false }]);
    expect(writer.begin()).toEqual(message('H', Buffer.from([1, 0, 1, 0, 1])));
    expect(writer.rows(Buffer.alloc(0))).toEqual(Buffer.alloc(0));
    const rows = Buffer.concat([message('D', row(1)), message('D', row(2))]);
    expect(writer.rows(rows)).toEqual(
      Buffer.concat([message('d', signature, row(1)), message('d', row(2))]),
    );
    expect(writer.end()).toEqual(message('d', trailer));
  });

  it('has it in one message with the trailer where there are no rows', () => {
    const writer = new CopyRowWriter({ kind: 'binary' }, []);
    writer.begin();
    expect(writer.end()).toEqual(message('d', signature, trailer));
  });
});
