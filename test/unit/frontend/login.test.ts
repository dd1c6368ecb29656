import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Config, User } from '../../../src/config/config.ts';
import {
  encodeSaslInitialResponse,
  encodeSaslResponse,
} from '../../../src/protocol/authentication.ts';
import { beginScramClient, continueScramClient } from '../../../src/protocol/scram-client.ts';
import { buildScramVerifier } from '../../../src/protocol/scram-verifier.ts';
import { loadParser } from '../../../src/sql/parser.ts';
import { trustLoopback } from '../../support/config-fixture.ts';
import { until } from '../../support/pool-fixture.ts';
import { RawClient, startupPacket } from '../../support/raw-client.ts';
import { SessionStage } from '../../support/session-stage.ts';

const kim: User = {
  name: 'kim',
  verifier: buildScramVerifier('secret', Buffer.alloc(16, 7), 4096),
  md5Hash: null,
  serverUser: 'app',
  serverSecret: { kind: 'none' },
  admin: false,
  stats: false,
  safeWrites: null,
};
const locked: User = { ...kim, name: 'locked', verifier: null };
const scram: Partial<Config> = {
  hba: [{ ...trustLoopback, method: 'scram-sha-256' }],
  users: new Map([kim, locked].map((user) => [user.name, user])),
};

let stage: SessionStage;
const clients: RawClient[] = [];

beforeAll(loadParser);
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await stage.stop();
});

async function begin(user: string, minor = 0): Promise<RawClient> {
  const client = await RawClient.connect(stage.port);
  clients.push(client);
  client.socket.write(startupPacket({ user, database: 'shop' }, minor));
  await until(() => client.messages('R').length === 1);
  return client;
}

const unbound = { clientNonce: 'nonce', binding: { kind: 'none' } } as const;

type Write = (client: RawClient, bytes: Buffer) => unknown;
const atOnce: Write = (client, bytes) => client.socket.write(bytes);

/** SCRAM up to the server's verdict; `asked`: the client waits before its first message. */
async function logIn(user: string, password: string, write = atOnce): Promise<RawClient> {
  const client = await begin(user);
  await write(client, encodeSaslInitialResponse('SCRAM-SHA-256', beginScramClient(unbound)));
  await until(() => client.messages('R').length === 2);
  const challenge = client.messages('R')[1]?.toString('utf8', 4) ?? '';
  const { message } = continueScramClient(
    { ...unbound, secret: { kind: 'password', password } },
    challenge,
  );
  await write(client, encodeSaslResponse(message));
  await until(() => client.readyCount === 1 || client.ended);
  return client;
}

describe('a login with SCRAM', () => {
  it('lets the right password in', async () => {
    stage = await SessionStage.start(scram);
    const client = await logIn('kim', 'secret');
    expect(client.readyCount).toBe(1);
    expect(client.messages('R').map((body) => body.readInt32BE(0))).toEqual([10, 11, 12, 0]);
  });

  it('reads the answers byte by byte', async () => {
    stage = await SessionStage.start(scram);
    const client = await logIn('kim', 'secret', (raw, bytes) => raw.writeBytes(bytes));
    expect(client.readyCount).toBe(1);
  });

  it('asks for the first message of a client that waits for that', async () => {
    stage = await SessionStage.start(scram);
    const client = await begin('kim');
    const choice = Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), Buffer.from('ffffffff', 'hex')]);
    const length = Buffer.alloc(4);
    length.writeInt32BE(choice.length + 4);
    client.socket.write(Buffer.concat([Buffer.from('p'), length, choice]));
    await until(() => client.messages('R').length === 2);
    client.socket.write(encodeSaslResponse(beginScramClient(unbound)));
    await until(() => client.messages('R').length === 3);
    expect(client.messages('R')[2]?.toString()).toContain('r=nonce');
  });

  it('tells a wrong password, an unknown user and one without a password in the same way', async () => {
    stage = await SessionStage.start(scram);
    const failed = [
      await logIn('kim', 'wrong'),
      await logIn('lee', 'secret'),
      await logIn('locked', 'secret'),
    ];
    const texts = failed.map((client) =>
      client
        .messages('E')[0]
        ?.toString()
        .replaceAll(/kim|lee|locked/g, 'NAME'),
    );
    expect(failed.map((client) => client.sqlState)).toEqual(['28P01', '28P01', '28P01']);
    expect(new Set(texts).size).toBe(1);
    const challenges = failed.map((client) => client.messages('R')[1]?.toString('utf8', 4) ?? '');
    const shapes = challenges.map((text) => text.replace(/r=[^,]+,s=[^,]+/, '').length);
    expect(new Set(shapes).size).toBe(1);
    expect(new Set(challenges.map((text) => /s=([^,]+)/.exec(text)?.[1]?.length)).size).toBe(1);
  });

  it('gives an unknown user the same salt each time', async () => {
    stage = await SessionStage.start(scram);
    const salt = async () => {
      const client = await logIn('lee', 'secret');
      return /s=([^,]+)/.exec(client.messages('R')[1]?.toString() ?? '')?.[1];
    };
    expect(await salt()).toBe(await salt());
  });

  it('ends a login that begins with anything else', async () => {
    stage = await SessionStage.start(scram);
    for (const bytes of ['Q\0\0\0\x0dselect 1\0', 'p\0\0\0\x0cunknown\0']) {
      const client = await begin('kim');
      client.socket.write(Buffer.from(bytes, 'latin1'));
      await until(() => client.ended);
      expect(client.sqlState).toBe('08P01');
    }
  });

  it('does not wait for long messages of a stranger', async () => {
    stage = await SessionStage.start(scram);
    const client = await begin('kim');
    client.socket.write(Buffer.from([0x70, 0, 1, 0, 1]));
    await until(() => client.ended);
    expect(client.sqlState).toBe('08P01');
  });
});

describe('a login', () => {
  it('is cut off when it takes too long, at each of its steps', async () => {
    stage = await SessionStage.start(scram, { loginTimeoutMs: 60 });
    const silent = await RawClient.connect(stage.port);
    clients.push(silent);
    const half = await begin('kim');
    await until(() => silent.ended && half.ended);
    expect(stage.gate.clientCount).toBe(0);
  });

  it('that was finished in time is not cut off', async () => {
    stage = await SessionStage.start({}, { loginTimeoutMs: 60 });
    const client = await begin('app');
    await until(() => client.readyCount === 1);
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(client.ended).toBe(false);
    expect(stage.gate.clientCount).toBe(1);
  });

  it('of protocol 3.2 gets a longer cancel key', async () => {
    stage = await SessionStage.start();
    const old = await begin('app', 0);
    const newer = await begin('app', 2);
    const newest = await begin('app', 9);
    await until(() => [old, newer, newest].every((client) => client.readyCount === 1));
    const keyBytes = (client: RawClient) => (client.messages('K')[0]?.length ?? 0) - 4;
    expect([old, newer, newest].map(keyBytes)).toEqual([4, 32, 32]);
    expect(newest.received[0]).toBe('v'.charCodeAt(0));
  });

  it('is refused while there are too many clients, with words', async () => {
    stage = await SessionStage.start();
    stage.refusing = true;
    const client = await RawClient.connect(stage.port);
    clients.push(client);
    client.socket.write(startupPacket({ user: 'app', database: 'shop' }));
    await until(() => client.ended);
    expect(client.sqlState).toBe('53300');
  });

  it('waits for the home shard and tells why it cannot be reached', async () => {
    stage = await SessionStage.start({}, { holdMaxMs: 50 });
    stage.losePrimary('a_d');
    const client = await RawClient.connect(stage.port);
    clients.push(client);
    client.socket.write(startupPacket({ user: 'app', database: 'shop' }));
    await until(() => client.ended);
    expect(client.sqlState).toBe('57P03');
  });

  it('that was given up waits for nothing any more', async () => {
    stage = await SessionStage.start();
    stage.losePrimary('a_d');
    const client = await RawClient.connect(stage.port);
    client.socket.write(startupPacket({ user: 'app', database: 'shop' }));
    await until(() => stage.gate.clientCount === 1);
    client.close();
    await until(() => stage.gate.clientCount === 0);
    expect(stage.shard('a_d')?.server.sessions).toEqual([]);
  });
});
