import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../../src/base/clock.ts';
import { findFreePorts } from '../../../src/lab/free-port.ts';
import { Relay } from '../../support/relay.ts';

let echo: Server;
let echoPort = 0;
let relay: Relay;
const clients: Socket[] = [];

beforeEach(async () => {
  const [first = 0, port = 0] = await findFreePorts(2);
  echoPort = first;
  echo = createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => {
    echo.listen(echoPort, '127.0.0.1', resolve);
  });
  relay = await Relay.start(port, echoPort);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await relay.stop();
  await new Promise((resolve) => echo.close(resolve));
});

type Line = { readonly socket: Socket; heard: string; ended: string | null };

function open(): Line {
  const socket = connect(relay.port, '127.0.0.1');
  const line: Line = { socket, heard: '', ended: null };
  clients.push(socket);
  socket.on('data', (text) => {
    line.heard += text;
  });
  socket.on('error', (error) => {
    line.ended = 'code' in error ? String(error.code) : error.message;
  });
  socket.on('close', () => {
    line.ended ??= 'closed';
  });
  return line;
}

async function until(reached: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 400 && !reached(); attempt += 1) await sleep(5);
  expect(reached()).toBe(true);
}

describe('a relay', () => {
  it('passes what is said, both ways', async () => {
    const line = open();
    line.socket.write('hello');
    await until(() => line.heard === 'hello');
  });

  it('delays', async () => {
    await relay.set({ kind: 'delay', delayMs: 60 });
    const line = open();
    const sentAt = systemClock.now();
    line.socket.write('a');
    line.socket.write('b');
    await until(() => line.heard === 'ab');
    expect(systemClock.now() - sentAt).toBeGreaterThanOrEqual(115);
  });

  it('swallows, old connections and new ones, and gives everything back when it heals', async () => {
    const old = open();
    old.socket.write('1');
    await until(() => old.heard === '1');
    await relay.set({ kind: 'black-hole' });
    const fresh = open();
    old.socket.write('2');
    fresh.socket.write('3');
    await sleep(100);
    expect([old.heard, old.ended, fresh.heard, fresh.ended]).toEqual(['1', null, '', null]);
    await relay.set({ kind: 'pass' });
    await until(() => old.heard === '12' && fresh.heard === '3');
  });

  it('cuts', async () => {
    const old = open();
    old.socket.write('1');
    await until(() => old.heard === '1');
    await relay.set({ kind: 'cut' });
    await until(() => old.ended === 'ECONNRESET');
    const fresh = open();
    await until(() => fresh.ended !== null);
  });

  it('refuses while nobody listens behind it', async () => {
    await new Promise((resolve) => echo.close(resolve));
    open();
    await sleep(50);
    const refused = open();
    await until(() => refused.ended === 'ECONNREFUSED');
    await new Promise<void>((resolve) => {
      echo.listen(echoPort, '127.0.0.1', resolve);
    });
    await sleep(100);
    const line = open();
    line.socket.write('y');
    await until(() => line.heard === 'y');
  });

  it('refuses, and listens again on the same port', async () => {
    await relay.set({ kind: 'refuse' });
    const refused = open();
    await until(() => refused.ended === 'ECONNREFUSED');
    await relay.set({ kind: 'pass' });
    const line = open();
    line.socket.write('x');
    await until(() => line.heard === 'x');
  });

  it('can be stopped after a black hole in front of nobody', async () => {
    await new Promise((resolve) => echo.close(resolve));
    await relay.set({ kind: 'black-hole' });
    const line = open();
    await sleep(50);
    expect(line.ended).toBe(null);
    line.socket.destroy();
    const stopped = relay.stop().then(() => 'stopped');
    expect(await Promise.race([stopped, sleep(1000)])).toBe('stopped');
  });
});
