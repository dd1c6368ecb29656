import { describe, expect, it } from 'vitest';
import { FrameReader, partBytesMin } from '../../../src/protocol/frame-reader.ts';
import { seededRandom } from '../../support/random.ts';

const dataRow = 0x44;

function frame(code: number, body: Buffer): Buffer {
  const header = Buffer.from([code, 0, 0, 0, 0]);
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

function readAll(reader: FrameReader, chunks: readonly Buffer[]): Buffer[] {
  const frames: Buffer[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    while (reader.next()) {
      expect(reader.code).toBe(reader.chunk[reader.start]);
      expect(reader.remaining).toBe(0);
      frames.push(Buffer.from(reader.chunk.subarray(reader.start, reader.end)));
    }
  }
  return frames;
}

function byteByByte(stream: Buffer): Buffer[] {
  return [...stream].map((byte) => Buffer.from([byte]));
}

describe('a frame reader', () => {
  const frames = [
    frame(0x5a, Buffer.from('I')),
    frame(0x44, Buffer.from('some row')),
    frame(0x31, Buffer.alloc(0)),
    frame(0x43, Buffer.alloc(300, 7)),
  ];
  const stream = Buffer.concat(frames);

  it('finds coalesced frames', () => {
    expect(readAll(new FrameReader({ frameBytesMax: 1000 }), [stream])).toEqual(frames);
  });

  it('joins frames that come byte by byte', () => {
    const reader = new FrameReader({ frameBytesMax: 1000 });
    expect(readAll(reader, byteByByte(stream))).toEqual(frames);
    expect(reader.pendingBytes).toBe(0);
  });

  it('hands out whole frames in the pushed chunk itself', () => {
    const reader = new FrameReader({ frameBytesMax: 1000 });
    reader.push(stream);
    expect(reader.next()).toBe(true);
    expect(reader.chunk).toBe(stream);
  });

  it('gives the same frames for any cut of the stream', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { integer } = seededRandom(seed);
      const random = (below: number) => integer(0, below - 1);
      const made: Buffer[] = [];
      for (let index = random(20); index >= 0; index--) {
        made.push(
          frame(1 + random(250), Buffer.alloc(random(4) === 0 ? random(3000) : random(20), index)),
        );
      }
      const bytes = Buffer.concat(made);
      const chunks: Buffer[] = [];
      for (let offset = 0; offset < bytes.length; ) {
        const size = 1 + random(random(2) === 0 ? 6 : 700);
        chunks.push(bytes.subarray(offset, offset + size));
        offset += size;
      }
      expect(readAll(new FrameReader({ frameBytesMax: 5000 }), chunks), `seed ${seed}`).toEqual(
        made,
      );
    }
  });

  it('accepts a frame at the limit and refuses one byte more from its header alone', () => {
    const limit = { frameBytesMax: 105 };
    const fits = frame(0x51, Buffer.alloc(100));
    expect(readAll(new FrameReader(limit), [fits])).toEqual([fits]);
    const header = frame(0x51, Buffer.alloc(101)).subarray(0, 5);
    expect(() => readAll(new FrameReader(limit), [header])).toThrow('invalid message length');
    expect(() => readAll(new FrameReader(limit), byteByByte(header))).toThrow(
      expect.objectContaining({ sqlState: '08P01', severity: 'FATAL' }),
    );
  });

  it('refuses lengths below four', () => {
    for (const length of [3, 0, -1, -2147483648]) {
      const header = Buffer.from([0x51, 0, 0, 0, 0]);
      header.writeInt32BE(length, 1);
      expect(() => readAll(new FrameReader({ frameBytesMax: 100 }), [header])).toThrow(
        'invalid message length',
      );
    }
  });

  it('reserves memory for what has come, not for what a header announces', () => {
    const reader = new FrameReader({ frameBytesMax: 2 ** 31 });
    const header = Buffer.from([0x51, 0x7f, 0xff, 0xff, 0xff]);
    const before = process.memoryUsage().arrayBuffers;
    expect(readAll(reader, [header, Buffer.alloc(1000)])).toEqual([]);
    expect(reader.pendingBytes).toBe(1005);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });

  it('holds no chunk while it waits', () => {
    const reader = new FrameReader({ frameBytesMax: 1000 });
    readAll(reader, [stream]);
    expect(reader.chunk.length).toBe(0);
  });

  it('hands back the bytes it has not given out', () => {
    const reader = new FrameReader({ frameBytesMax: 1000 });
    reader.push(stream);
    reader.next();
    expect(reader.takeRest()).toEqual(stream.subarray(6));
    readAll(reader, [stream.subarray(0, 3)]);
    reader.push(stream.subarray(3, 4));
    expect(reader.takeRest()).toEqual(stream.subarray(0, 4));
    expect(reader.next()).toBe(false);
  });
});

describe('a frame reader that hands out parts', () => {
  const small = frame(dataRow, Buffer.from('small'));
  const large = frame(dataRow, Buffer.alloc(3 * partBytesMin, 1));
  const stream = Buffer.concat([small, large, small]);

  it('cuts only a row longer than its chunk, and loses no byte', () => {
    for (const size of [7, 1000, 65_536, 500_000]) {
      const reader = new FrameReader({ frameBytesMax: 1000 });
      reader.parts = true;
      const seen: Buffer[] = [];
      const remaining: number[] = [];
      for (let offset = 0; offset < stream.length; offset += size) {
        reader.push(stream.subarray(offset, offset + size));
        while (reader.next()) {
          if (reader.code !== dataRow) throw new Error('another code');
          if (reader.isPart) remaining.push(reader.remaining);
          seen.push(Buffer.from(reader.chunk.subarray(reader.start, reader.end)));
        }
      }
      expect(Buffer.concat(seen).equals(stream)).toBe(true);
      if (size === 500_000) expect(remaining).toEqual([]);
      else expect(remaining.at(-1)).toBe(0);
      expect(remaining).toEqual(remaining.toSorted((left, right) => right - left));
    }
  });

  it('still limits every other message', () => {
    const reader = new FrameReader({ frameBytesMax: 1000 });
    reader.parts = true;
    reader.push(frame(0x45, Buffer.alloc(3 * partBytesMin)).subarray(0, 100));
    expect(() => reader.next()).toThrow('invalid message length');
  });
});
