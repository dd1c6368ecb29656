import { serialize } from 'pg-protocol';
import { describe, expect, it } from 'vitest';
import {
  decodeStartupPacket,
  encodeCancelRequest,
  startupPacketLength,
} from '../../../src/protocol/startup-packet.ts';

function packet(version: number, body: string): Buffer {
  const bytes = Buffer.alloc(8 + Buffer.byteLength(body));
  bytes.writeInt32BE(bytes.length, 0);
  bytes.writeInt32BE(version, 4);
  bytes.write(body, 8);
  return bytes;
}

const version30 = 3 << 16;

describe('a startup packet', () => {
  it('is measured from its first four bytes', () => {
    const bytes = packet(version30, 'user\0a\0\0');
    expect(startupPacketLength(bytes.subarray(0, 3))).toBeNull();
    expect(startupPacketLength(bytes)).toBe(bytes.length);
  });

  it('may have 10000 bytes behind its length, and not one more', () => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(10_004);
    expect(startupPacketLength(length)).toBe(10_004);
    for (const wrong of [10_005, 7, 0, -1]) {
      length.writeInt32BE(wrong);
      expect(() => startupPacketLength(length)).toThrow('invalid length of startup packet');
    }
  });

  it('is decoded as pg-protocol writes it', () => {
    const startup = serialize.startup({ user: 'kim', database: 'booking' });
    expect(decodeStartupPacket(startup)).toEqual({
      kind: 'startup',
      minor: 0,
      negotiation: null,
      parameters: new Map([
        ['user', 'kim'],
        ['database', 'booking'],
        ['client_encoding', 'UTF8'],
      ]),
    });
    expect(decodeStartupPacket(serialize.requestSsl())).toEqual({ kind: 'ssl-request' });
    expect(decodeStartupPacket(packet(80877104, ''))).toEqual({ kind: 'gss-request' });
  });

  it('carries cancel keys of 4 to 256 bytes', () => {
    expect(encodeCancelRequest({ backendId: 7, secret: Buffer.from([0, 0, 0, 9]) })).toEqual(
      serialize.cancel(7, 9),
    );
    for (const secretBytes of [4, 32, 256]) {
      const key = { backendId: -7, secret: Buffer.alloc(secretBytes, 3) };
      expect(decodeStartupPacket(encodeCancelRequest(key))).toEqual({
        kind: 'cancel-request',
        key,
      });
    }
    for (const secretBytes of [3, 257]) {
      const key = { backendId: 7, secret: Buffer.alloc(secretBytes) };
      expect(() => decodeStartupPacket(encodeCancelRequest(key))).toThrow('cancel request packet');
    }
  });

  it('negotiates down to 3.2 and names unknown options', () => {
    const body = 'user\0a\0_pq_.fast\0on\0\0';
    expect(decodeStartupPacket(packet(version30 + 9999, body))).toEqual({
      kind: 'startup',
      minor: 2,
      negotiation: { minor: 2, unknownOptions: ['_pq_.fast'] },
      parameters: new Map([['user', 'a']]),
    });
    expect(decodeStartupPacket(packet(version30 + 2, 'user\0a\0\0'))).toMatchObject({
      minor: 2,
      negotiation: null,
    });
    expect(decodeStartupPacket(packet(version30, body))).toMatchObject({
      negotiation: { minor: 0, unknownOptions: ['_pq_.fast'] },
    });
  });

  it.each([
    [
      'another major version',
      packet(2 << 16, 'user\0a\0\0'),
      '0A000',
      'unsupported frontend protocol 2.0',
    ],
    ['no user', packet(version30, 'database\0a\0\0'), '28000', 'no PostgreSQL user name'],
    ['no terminator', packet(version30, 'user\0a\0'), '08P01', 'expected terminator as last byte'],
    [
      'bytes behind the terminator',
      packet(version30, 'user\0a\0\0x'),
      '08P01',
      'expected terminator as last byte',
    ],
    [
      'a name without a value',
      packet(version30, 'user\0'),
      '08P01',
      'expected terminator as last byte',
    ],
    [
      'an SSLRequest with a tail',
      packet(80877103, 'x'),
      '08P01',
      'invalid length of startup packet',
    ],
  ])('is refused with %s', (_name, bytes, sqlState, message) => {
    expect(() => decodeStartupPacket(bytes)).toThrow(
      expect.objectContaining({
        sqlState,
        severity: 'FATAL',
        message: expect.stringContaining(message),
      }),
    );
  });
});
