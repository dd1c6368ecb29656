import { serialize } from 'pg-protocol';
import { describe, expect, it } from 'vitest';
import { decodeBind, encodeBind, encodeBindHead } from '../../../src/protocol/bind-message.ts';
import { decodeClose, encodeClose } from '../../../src/protocol/close-message.ts';
import {
  copyDone,
  flushMessage,
  syncMessage,
  terminateMessage,
} from '../../../src/protocol/constant-messages.ts';
import { decodeDescribe, encodeDescribe } from '../../../src/protocol/describe-message.ts';
import { decodeExecute, encodeExecute } from '../../../src/protocol/execute-message.ts';
import { decodeParse, encodeParse, encodeParseHead } from '../../../src/protocol/parse-message.ts';
import { decodeQuery, encodeQuery } from '../../../src/protocol/query-message.ts';
import { seededRandom } from '../../support/random.ts';

/** Decodes at an offset, as in a real chunk, so that no decoder relies on 0. */
function decoded<Message>(
  decode: (bytes: Buffer, start: number, end: number) => Message,
  frame: Buffer,
): Message {
  const chunk = Buffer.concat([Buffer.from('before'), frame, Buffer.from('after')]);
  return decode(chunk, 6, 6 + frame.length);
}

describe('frontend messages, against the serializer of pg-protocol', () => {
  it('decodes and encodes Query', () => {
    const sql = "select 'größe 한국 🙂'";
    expect(decoded(decodeQuery, serialize.query(sql))).toBe(sql);
    expect(encodeQuery(sql)).toEqual(serialize.query(sql));
    expect(decoded(decodeQuery, serialize.query(''))).toBe('');
  });

  it('decodes and encodes Parse', () => {
    const frame = serialize.parse({ name: 's1', text: 'select $1', types: [23, 4294967295 | 0] });
    const message = decoded(decodeParse, frame);
    expect(message).toMatchObject({ name: 's1', sql: 'select $1', typeOids: [23, 4294967295] });
    expect(encodeParse(message)).toEqual(frame);
  });

  it('renames Parse without touching the rest', () => {
    const message = decoded(
      decodeParse,
      serialize.parse({ name: 'old', text: 'select 1', types: [20] }),
    );
    const renamed = Buffer.concat([encodeParseHead('größer', message.tail), message.tail]);
    expect(renamed).toEqual(serialize.parse({ name: 'größer', text: 'select 1', types: [20] }));
  });

  it('decodes and encodes Bind', () => {
    const values = ['a', null, Buffer.from([0, 255])];
    const frame = serialize.bind({ portal: 'p', statement: 's', values, binary: true });
    const message = decoded(decodeBind, frame);
    expect(message.portal).toBe('p');
    expect(message.statement).toBe('s');
    expect(message.formats).toEqual([0, 0, 1]);
    expect(message.values).toEqual([Buffer.from('a'), null, Buffer.from([0, 255])]);
    expect(message.resultFormats).toEqual([1]);
    expect(encodeBind({ ...message, values })).toEqual(frame);
  });

  it('renames Bind without touching the rest', () => {
    const values = [Buffer.alloc(500, 9)];
    const message = decoded(decodeBind, serialize.bind({ portal: 'p', statement: 's', values }));
    const names = { portal: '', statement: 'weave_1' };
    expect(Buffer.concat([encodeBindHead(names, message.tail), message.tail])).toEqual(
      serialize.bind({ statement: 'weave_1', values }),
    );
  });

  it('spreads one format over all values', () => {
    const frame = encodeBind({
      portal: '',
      statement: '',
      formats: [1],
      values: ['a', 'b'],
      resultFormats: [],
    });
    expect(decodeBind(frame, 0, frame.length).formats).toEqual([1, 1]);
    const none = encodeBind({
      portal: '',
      statement: '',
      formats: [],
      values: ['a'],
      resultFormats: [],
    });
    expect(decodeBind(none, 0, none.length).formats).toEqual([0]);
  });

  it('decodes and encodes Describe, Close, Execute', () => {
    for (const [type, kind] of [
      ['S', 'statement'],
      ['P', 'portal'],
    ] as const) {
      const target = { kind, name: 'x' };
      expect(decoded(decodeDescribe, serialize.describe({ type, name: 'x' }))).toEqual(target);
      expect(encodeDescribe(target)).toEqual(serialize.describe({ type, name: 'x' }));
      expect(decoded(decodeClose, serialize.close({ type, name: 'x' }))).toEqual(target);
      expect(encodeClose(target)).toEqual(serialize.close({ type, name: 'x' }));
    }
    const execute = { portal: 'p', rowsMax: 7 };
    expect(decoded(decodeExecute, serialize.execute({ portal: 'p', rows: 7 }))).toEqual(execute);
    expect(encodeExecute(execute)).toEqual(serialize.execute({ portal: 'p', rows: 7 }));
    for (const rows of [0, 7]) {
      expect(encodeExecute({ portal: '', rowsMax: rows })).toEqual(serialize.execute({ rows }));
    }
    expect(encodeDescribe({ kind: 'portal', name: '' })).toEqual(serialize.describe({ type: 'P' }));
  });

  it('encodes the messages without a decoder', () => {
    expect(syncMessage).toEqual(serialize.sync());
    expect(flushMessage).toEqual(serialize.flush());
    expect(terminateMessage).toEqual(serialize.end());
    expect(copyDone).toEqual(serialize.copyDone());
  });
});

describe('malformed frontend messages', () => {
  function body(code: string, ...parts: (string | number[])[]): Buffer {
    const bytes = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
    const header = Buffer.from([code.charCodeAt(0), 0, 0, 0, 0]);
    header.writeInt32BE(bytes.length + 4, 1);
    return Buffer.concat([header, bytes]);
  }

  it.each([
    ['a Query without terminator', decodeQuery, body('Q', 'select 1'), 'invalid string in message'],
    ['a Query with more behind it', decodeQuery, body('Q', 'a\0b\0'), 'invalid message format'],
    [
      'a Parse that counts too far',
      decodeParse,
      body('P', 's\0q\0', [0, 1]),
      'insufficient data left in message',
    ],
    [
      'a Bind with a negative length',
      decodeBind,
      body('B', '\0\0', [0, 0, 0, 1, 255, 255, 255, 254, 0, 0]),
      'insufficient data left in message',
    ],
    [
      'a Bind with a huge length',
      decodeBind,
      body('B', '\0\0', [0, 0, 0, 1, 127, 255, 255, 255, 0, 0]),
      'insufficient data left in message',
    ],
    [
      'a Bind with formats for others',
      decodeBind,
      body('B', '\0\0', [0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
      'bind message has 2 parameter formats but 1 parameters',
    ],
    [
      'a Bind with an unknown format',
      decodeBind,
      body('B', '\0\0', [0, 1, 0, 2, 0, 0, 0, 0]),
      'unsupported format code: 2',
    ],
    [
      'a Describe of something else',
      decodeDescribe,
      body('D', 'Xn\0'),
      'invalid DESCRIBE message subtype 88',
    ],
    [
      'a Close of something else',
      decodeClose,
      body('C', 'Xn\0'),
      'invalid CLOSE message subtype 88',
    ],
    [
      'an Execute cut short',
      decodeExecute,
      body('E', '\0', [0, 0]),
      'insufficient data left in message',
    ],
  ])(
    'refuses %s',
    (_name, decode: (bytes: Buffer, start: number, end: number) => unknown, frame, message) => {
      expect(() => decode(frame, 0, frame.length)).toThrow(message);
      // Bytes behind the frame do not make it valid.
      const chunk = Buffer.concat([frame, Buffer.alloc(50)]);
      expect(() => decode(chunk, 0, frame.length)).toThrow(message);
    },
  );

  it('refuses invalid UTF-8 with 22021, and takes a real replacement character', () => {
    const bad = body('Q', 'select ', [0xff, 0xfe, 0]);
    expect(() => decodeQuery(bad, 0, bad.length)).toThrow(
      expect.objectContaining({ sqlState: '22021' }),
    );
    const good = serialize.query('\ufffd');
    expect(decodeQuery(good, 0, good.length)).toBe('\ufffd');
  });

  it('never answers random bytes with anything but a message or a protocol error', () => {
    const decoders = [
      decodeQuery,
      decodeParse,
      decodeBind,
      decodeDescribe,
      decodeClose,
      decodeExecute,
    ];
    const good = encodeBind({
      portal: 'p',
      statement: 's',
      formats: [1],
      values: ['a', null],
      resultFormats: [0],
    });
    for (let seed = 1; seed <= 2000; seed++) {
      const { integer } = seededRandom(seed);
      const random = (below: number) => integer(0, below - 1);
      const bytes = Buffer.from(good.subarray(0, 5 + random(good.length - 4)));
      for (let change = random(4); change > 0; change--) {
        if (bytes.length > 5) bytes[5 + random(bytes.length - 5)] = random(256);
      }
      for (const decode of decoders) {
        try {
          decode(bytes, 0, bytes.length);
        } catch (error) {
          expect(error, `seed ${seed}`).toMatchObject({
            sqlState: expect.stringMatching(/^(08P01|22021|22023)$/),
          });
        }
      }
    }
  });
});
