import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import { FrameReader, partBytesMin } from '../../../src/protocol/frame-reader.ts';
import { MessageWriter } from '../../../src/protocol/message-writer.ts';
import { decodeStartupPacket, startupPacketLength } from '../../../src/protocol/startup-packet.ts';
import {
  anyBytes,
  anyCuts,
  anyName,
  byteByByte,
  cutAt,
  damaged,
  outcome,
} from '../../support/properties.ts';
import { startupPacket } from '../../support/raw-client.ts';

type Frame = { readonly code: number; readonly body: Buffer };

const anyFrame: fc.Arbitrary<Frame> = fc.record({ code: fc.nat(255), body: anyBytes });
const anyFrames = fc.array(anyFrame, { maxLength: 8 });
const frameBytesMax = 1000;

function written(frames: readonly Frame[]): Buffer {
  const writer = new MessageWriter();
  for (const { code, body } of frames) writer.begin(code).bytes(body).end();
  return writer.take();
}

/** Every frame, pieces joined, as text; at the end what was wrong. */
function read(pieces: readonly Buffer[], parts: boolean, bytesMax = frameBytesMax): string[] {
  const reader = new FrameReader({ frameBytesMax: bytesMax });
  reader.parts = parts;
  const found: string[] = [];
  let pending: Buffer[] = [];
  try {
    for (const piece of pieces) {
      // The reader's views must not depend on bytes that are gone by then.
      const chunk = Buffer.from(piece);
      reader.push(chunk);
      while (reader.next()) {
        const { start, end, code, remaining } = reader;
        pending.push(Buffer.from(reader.chunk.subarray(start, end)));
        if (remaining > 0) continue;
        found.push(`${code} ${Buffer.concat(pending).toString('hex')}`);
        pending = [];
      }
      chunk.fill(0xee);
      expect(reader.pendingBytes).toBeLessThan(bytesMax);
    }
  } catch (error) {
    if (!(error instanceof PgError)) throw error;
    found.push(`${error.sqlState} ${error.severity}`);
  }
  return found;
}

describe('frames', () => {
  it('are the same whole, byte by byte and cut anywhere', () => {
    fc.assert(
      fc.property(anyFrames, anyCuts, fc.boolean(), (frames, cuts, parts) => {
        const bytes = written(frames);
        const whole = read([bytes], parts);
        expect(whole).toHaveLength(frames.length);
        expect(read(cutAt(bytes, cuts), parts)).toEqual(whole);
        expect(read(byteByByte(bytes), parts)).toEqual(whole);
      }),
    );
  });

  it('that are long come in pieces which make up the same bytes', () => {
    const long = fc.record({
      code: fc.constantFrom(0x44, 0x64),
      body: fc
        .integer({ min: partBytesMin - 6, max: partBytesMin + 9 })
        .map((size) => Buffer.alloc(size, 'x')),
    });
    const mixed = fc.array(fc.oneof(long, anyFrame), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(mixed, anyCuts, (frames, cuts) => {
        const bytes = written(frames);
        const whole = read([bytes], true, 2 * partBytesMin);
        expect(whole).toHaveLength(frames.length);
        expect(read(cutAt(bytes, cuts), true, 2 * partBytesMin)).toEqual(whole);
      }),
      { numRuns: 40 },
    );
  });

  it('that are damaged are refused alike wherever they are cut', () => {
    fc.assert(
      fc.property(damaged(anyFrames.map(written)), anyCuts, fc.boolean(), (bytes, cuts, parts) => {
        const whole = read([bytes], parts);
        expect(read(cutAt(bytes, cuts), parts)).toEqual(whole);
        expect(read(byteByByte(bytes), parts)).toEqual(whole);
      }),
    );
  });
});

describe('a startup packet', () => {
  const packet = fc
    .tuple(fc.dictionary(anyName, anyName, { maxKeys: 5 }), fc.nat(4))
    .map(([parameters, minor]) => startupPacket({ user: 'app', ...parameters }, minor));

  /** As the frontend reads them: packets until one is complete and says more than a request. */
  function first(pieces: readonly Buffer[]): unknown {
    return outcome(() => {
      let bytes: Buffer = Buffer.alloc(0);
      for (const piece of pieces) {
        bytes = Buffer.concat([bytes, piece]);
        const length = startupPacketLength(bytes);
        if (length !== null && bytes.length >= length) {
          return decodeStartupPacket(bytes.subarray(0, length));
        }
      }
      return 'incomplete';
    });
  }

  it('is read alike whole, byte by byte and cut anywhere', () => {
    fc.assert(
      fc.property(fc.oneof(packet, damaged(packet), anyBytes), anyCuts, (bytes, cuts) => {
        const whole = first([bytes]);
        expect(first(cutAt(bytes, cuts))).toEqual(whole);
        expect(first(byteByByte(bytes))).toEqual(whole);
      }),
    );
  });
});
