import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PgError } from '../../../src/base/pg-error.ts';
import { receiveStartup, type Startup } from '../../../src/frontend/startup.ts';
import { encodeCancelRequest } from '../../../src/protocol/startup-packet.ts';
import { until } from '../../support/pool-fixture.ts';
import { RawClient, requestPacket, startupPacket } from '../../support/raw-client.ts';

const sslRequest = requestPacket(80_877_103);
const gssRequest = requestPacket(80_877_104);
const packet = startupPacket({ user: 'kim', database: 'shop' });

let server: Server;
let startups: Startup[];
let refusals: PgError[];

beforeEach(async () => {
  startups = [];
  refusals = [];
  server = createServer((socket) => {
    receiveStartup(
      socket,
      null,
      (startup) => startups.push(startup),
      (refused, error) => {
        refusals.push(error);
        refused.destroy();
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const { socket } of startups) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function connect(): Promise<RawClient> {
  const address = server.address();
  return RawClient.connect(typeof address === 'object' && address !== null ? address.port : 0);
}

describe('the first packets of a connection', () => {
  it('are read byte by byte', async () => {
    const client = await connect();
    await client.writeBytes(Buffer.concat([sslRequest, gssRequest, packet]));
    await until(() => startups.length === 1 && client.received.length === 2);
    expect(client.received.toString()).toBe('NN');
    expect(startups[0]).toMatchObject({ tls: null, rest: Buffer.alloc(0) });
    expect(startups[0]?.request).toMatchObject({ kind: 'startup', minor: 0, negotiation: null });
    client.close();
  });

  it('are read from one chunk, and what follows them is kept', async () => {
    const client = await connect();
    client.socket.write(Buffer.concat([gssRequest, sslRequest, packet, Buffer.from('more')]));
    await until(() => startups.length === 1);
    expect(client.received.toString()).toBe('NN');
    expect(startups[0]?.rest.toString()).toBe('more');
    client.close();
  });

  it('may be a cancel request', async () => {
    const client = await connect();
    const key = { backendId: 7, secret: Buffer.from([1, 2, 3, 4]) };
    client.socket.write(encodeCancelRequest(key));
    await until(() => startups.length === 1);
    expect(startups[0]?.request).toEqual({ kind: 'cancel-request', key });
    client.close();
  });

  it.each([
    ['GET / HTTP/1.1\r\nHost: example.org\r\n\r\n', '08P01'],
    ['\x00\x00\x00\x04\x00\x00\x00\x00', '08P01'],
    ['\x00\x00\x00\x08\x00\x02\x00\x00', '0A000'],
    ['\x00\x00\x00\x09\x00\x03\x00\x00\x00', '28000'],
    ['\x00\x00\x00\x0c\x00\x03\x00\x00user', '08P01'],
  ])('%j is refused with %s', async (text, sqlState) => {
    const client = await connect();
    client.socket.write(Buffer.from(text, 'latin1'));
    await until(() => refusals.length === 1);
    expect(refusals[0]).toMatchObject({ sqlState, severity: 'FATAL' });
    client.close();
  });

  it('say nothing when the client leaves in between', async () => {
    const client = await connect();
    client.socket.write(packet.subarray(0, 7));
    client.socket.end();
    await until(() => client.ended);
    expect([startups, refusals]).toEqual([[], []]);
  });
});
