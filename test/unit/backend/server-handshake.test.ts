import { afterEach, describe, expect, it } from 'vitest';
import { ComingIdentity } from '../../../src/backend/coming-identity.ts';
import type { PrimaryIdentity } from '../../../src/backend/primary-identity.ts';
import { type LoggedInSocket, shakeHands } from '../../../src/backend/server-handshake.ts';
import { noServerTls } from '../../../src/backend/server-tls.ts';
import { sleep, systemClock } from '../../../src/base/clock.ts';
import { PgError } from '../../../src/base/pg-error.ts';
import type { NodeAddress, User } from '../../../src/config/config.ts';
import {
  decodePassword,
  decodeSaslInitialResponse,
  decodeSaslResponse,
  encodeAuthenticationCleartextPassword,
  encodeAuthenticationMd5Password,
  encodeAuthenticationOk,
  encodeAuthenticationSasl,
  encodeAuthenticationSaslContinue,
  encodeAuthenticationSaslFinal,
} from '../../../src/protocol/authentication.ts';
import { encodeCommandComplete } from '../../../src/protocol/command-complete.ts';
import { encodeDataRow } from '../../../src/protocol/data-row.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { md5Answer, md5Hash } from '../../../src/protocol/md5-password.ts';
import { readyForQuery } from '../../../src/protocol/ready-for-query.ts';
import {
  beginScramServer,
  finishScramServer,
  type ScramServerStep,
} from '../../../src/protocol/scram-server.ts';
import { buildScramVerifier, parseScramVerifier } from '../../../src/protocol/scram-verifier.ts';
import { acceptLogin, type FakeScript, FakeServer } from '../../support/fake-server.ts';

const servers: FakeServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

type Options = {
  readonly password?: string | null;
  readonly allowCleartext?: boolean;
  readonly identity?: PrimaryIdentity | ComingIdentity;
};

function logIn(node: NodeAddress, options: Options = {}): Promise<LoggedInSocket> {
  const { password = 'pencil', allowCleartext = false, identity = null } = options;
  const user: User = {
    name: 'kim',
    verifier: null,
    md5Hash: null,
    serverUser: 'app',
    serverSecret: password === null ? { kind: 'none' } : { kind: 'password', password },
    admin: false,
    stats: false,
    safeWrites: null,
  };
  return new Promise((resolve, reject) => {
    const request = {
      node,
      user,
      database: 'booking',
      clock: systemClock,
      timeoutMs: 300,
      allowCleartext,
      identity,
      tls: noServerTls,
    };
    shakeHands(request, resolve, reject);
  });
}

async function started(script: FakeScript): Promise<FakeServer> {
  const server = await FakeServer.start(script);
  servers.push(server);
  return server;
}

const wrongPassword = encodeErrorResponse(
  new PgError('28P01', 'password authentication failed for user "app"', { severity: 'FATAL' }),
);

describe('the login on a server', () => {
  it('names user, database, application, encoding and what the planner relies on', async () => {
    const server = await started({});
    const session = await logIn(server.node);
    expect(server.sessions[0]?.parameters).toEqual(
      new Map([
        ['user', 'app'],
        ['database', 'booking'],
        ['application_name', 'pgweave'],
        ['client_encoding', 'UTF8'],
        ['search_path', '"$user", public'],
        ['standard_conforming_strings', 'on'],
        ['array_nulls', 'on'],
      ]),
    );
    expect(session.parameters).toEqual(new Map([['server_version', '18.0']]));
    expect(session.cancelKey).toEqual({ backendId: 1, secret: Buffer.from([1, 2, 3, 4]) });
  });

  function scramScript(storedPassword: string, tamper: (final: string) => Buffer): FakeScript {
    const verifier = parseScramVerifier(
      buildScramVerifier(storedPassword, Buffer.from('salt'), 4096),
    );
    if (verifier === null) throw new Error('no verifier');
    let step: ScramServerStep | null = null;
    return {
      onStartup: ({ socket }) =>
        socket.write(encodeAuthenticationSasl(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'])),
      onMessage: (session, frame) => {
        if (step === null) {
          const { mechanism, response } = decodeSaslInitialResponse(frame, 0, frame.length);
          expect(mechanism).toBe('SCRAM-SHA-256');
          step = beginScramServer(response ?? '', verifier, 'server-nonce', {
            mechanism,
            endPoint: null,
          });
          session.socket.write(encodeAuthenticationSaslContinue(step.message));
          return;
        }
        const final = finishScramServer(step, decodeSaslResponse(frame, 0, frame.length));
        if (final === null) session.socket.end(wrongPassword);
        else {
          session.socket.write(tamper(final.message));
          acceptLogin(session);
        }
      },
    };
  }

  it('proves the password by SCRAM, and has the server prove it too', async () => {
    const server = await started(scramScript('pencil', encodeAuthenticationSaslFinal));
    await expect(logIn(server.node)).resolves.toBeDefined();
  });

  it('passes on that the password is wrong', async () => {
    const server = await started(scramScript('pen', encodeAuthenticationSaslFinal));
    await expect(logIn(server.node)).rejects.toMatchObject({ sqlState: '28P01' });
  });

  it('refuses a server that cannot prove the password, or does not try', async () => {
    const forged = `v=${Buffer.alloc(32).toString('base64')}`;
    const liar = await started(scramScript('pencil', () => encodeAuthenticationSaslFinal(forged)));
    await expect(logIn(liar.node)).rejects.toMatchObject({
      sqlState: '28000',
      message: expect.stringContaining('does not know the password itself'),
    });
    const silent = await started(scramScript('pencil', () => Buffer.alloc(0)));
    await expect(logIn(silent.node)).rejects.toThrow('without its proof');
  });

  it('answers md5 with the salted hash', async () => {
    const salt = Buffer.from([9, 8, 7, 6]);
    const server = await started({
      onStartup: ({ socket }) => socket.write(encodeAuthenticationMd5Password(salt)),
      onMessage: (session, frame) => {
        const answer = decodePassword(frame, 0, frame.length);
        if (answer === md5Answer(md5Hash({ user: 'app', password: 'pencil' }), salt))
          acceptLogin(session);
        else session.socket.end(wrongPassword);
      },
    });
    await expect(logIn(server.node)).resolves.toBeDefined();
    await expect(logIn(server.node, { password: 'pen' })).rejects.toMatchObject({
      sqlState: '28P01',
    });
  });

  it('gives the password in cleartext only when that is allowed', async () => {
    const seen: string[] = [];
    const server = await started({
      onStartup: ({ socket }) => socket.write(encodeAuthenticationCleartextPassword()),
      onMessage: (session, frame) => {
        seen.push(decodePassword(frame, 0, frame.length));
        acceptLogin(session);
      },
    });
    await expect(logIn(server.node)).rejects.toMatchObject({
      sqlState: '28000',
      hint: expect.any(String),
    });
    expect(seen).toEqual([]);
    await logIn(server.node, { allowCleartext: true });
    expect(seen).toEqual(['pencil']);
  });

  it.each([
    [
      'a password that is not configured',
      encodeAuthenticationMd5Password(Buffer.alloc(4)),
      '28000',
      'the configuration has none',
    ],
    [
      'an unknown mechanism',
      encodeAuthenticationSasl(['OAUTHBEARER']),
      '28000',
      'the server offers only OAUTHBEARER',
    ],
    ['SCRAM out of order', encodeAuthenticationSaslContinue('r=x'), '28000', 'out of order'],
    [
      'Kerberos',
      Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 2]),
      '28000',
      'authentication method 2 is not supported',
    ],
    ['ReadyForQuery before the login', readyForQuery.idle, '08P01', 'no part of a login'],
    ['garbage', Buffer.from('HTTP/1.1 400 Bad Request\r\n'), '08P01', 'invalid message length'],
  ])('fails on %s', async (_name, bytes, sqlState, message) => {
    const server = await started({ onStartup: ({ socket }) => socket.write(bytes) });
    await expect(logIn(server.node, { password: null })).rejects.toMatchObject({
      sqlState,
      message: expect.stringContaining(message),
    });
  });

  it('fails when nobody listens, when the server hangs up, and when it says nothing', async () => {
    const server = await started({ onStartup: ({ socket }) => socket.end() });
    await expect(logIn(server.node)).rejects.toMatchObject({ sqlState: '08001' });
    server.script = { onStartup: () => {} };
    await expect(logIn(server.node)).rejects.toMatchObject({
      sqlState: '08001',
      message: expect.stringContaining('no answer in 300 ms'),
    });
    await server.stop();
    await expect(logIn(server.node)).rejects.toMatchObject({
      sqlState: '08001',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('waits with the question who the server is until it is known who it should be', async () => {
    const answer = ['f', '7', '2', 'u2', 'on'];
    const server = await started({
      onQuery: ({ socket }) =>
        socket.write(
          Buffer.concat([
            encodeDataRow(answer),
            encodeCommandComplete('SELECT 1'),
            readyForQuery.idle,
          ]),
        ),
    });
    const expected = { systemId: '7', timeline: 2, uuid: 'u2', synchronousCommit: 'on' } as const;
    const [right, wrong] = [new ComingIdentity('on'), new ComingIdentity('on')];
    const logins = [
      logIn(server.node, { identity: right }),
      logIn(server.node, { identity: wrong }).catch((error: PgError) => error.message),
    ];
    // Longer than any step of a login may take.
    await sleep(400);
    // Asked before, for practice.
    expect(server.sessions.map(({ queries }) => queries.length)).toEqual([1, 1]);
    expect(server.sessions[0]?.parameters.get('synchronous_commit')).toBe('on');
    right.become(expected);
    wrong.become({ ...expected, uuid: 'u3' });
    expect(await logins[0]).toMatchObject({ cancelKey: { backendId: 1 } });
    expect(await logins[1]).toContain('it is of another epoch');
    await expect(logIn(server.node, { identity: right })).resolves.toBeDefined();
  });

  it('keeps what came in the same read as the end of the login', async () => {
    const extra = Buffer.concat([
      encodeAuthenticationOk(),
      readyForQuery.idle,
      Buffer.from('more'),
    ]);
    const server = await started({ onStartup: ({ socket }) => socket.write(extra) });
    const { link, rest } = await logIn(server.node);
    expect(rest.toString()).toBe('more');
    link.socket.destroy();
  });
});
