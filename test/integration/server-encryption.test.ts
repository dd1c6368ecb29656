import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendCancelRequest } from '../../src/backend/cancel-request.ts';
import { type LoggedInSocket, shakeHands } from '../../src/backend/server-handshake.ts';
import { readServerTls, type ServerTls } from '../../src/backend/server-tls.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { PgError } from '../../src/base/pg-error.ts';
import { ControlConnection } from '../../src/cluster/control-connection.ts';
import type {
  NodeAddress,
  NodeId,
  ServerEncryption,
  SslMode,
  User,
} from '../../src/config/config.ts';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import { withSession } from '../../src/lab/sql.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import { Certificates, has } from '../support/certificates.ts';
import { unencrypted } from '../support/config-fixture.ts';
import { startTestCluster } from '../support/lab.ts';
import { replaceHba, switchTlsOn } from '../support/server-access.ts';

let lab: LabCluster;
let certificates: Certificates;

const hba = [
  'hostssl all safe 127.0.0.1/32 scram-sha-256',
  'hostnossl all clear 127.0.0.1/32 scram-sha-256',
  'hostssl all shown 127.0.0.1/32 cert',
  'host all app 127.0.0.1/32 scram-sha-256',
];

function encryption(mode: SslMode, changes: Partial<ServerEncryption> = {}): ServerEncryption {
  return { ...unencrypted, mode, ...changes };
}

function authority(name = 'ca'): Partial<ServerEncryption> {
  return { rootCertificate: { kind: 'file', file: certificates.certificate(name) } };
}

function nodeAt(host: string): NodeAddress {
  const { port } = lab.shard('a').primary;
  return { id: `${host}:${port}` as NodeId, host, port, shard: 'a' as ShardId };
}

function roleCalled(name: string): User {
  const rights = { admin: false, stats: false, safeWrites: null };
  const serverSecret = { kind: 'password', password: name } as const;
  return { name, verifier: null, md5Hash: null, serverUser: name, serverSecret, ...rights };
}

function open(user: string, tls: ServerTls, host: string): Promise<LoggedInSocket> {
  const request = {
    node: nodeAt(host),
    user: roleCalled(user),
    database: 'app',
    clock: systemClock,
    timeoutMs: 5_000,
    allowCleartext: false,
    identity: null,
    tls,
  };
  return new Promise((resolve, reject) => shakeHands(request, resolve, reject));
}

/** `encrypted`, `clear`, or the SQLSTATE and message of the refusal. */
async function logIn(user: string, how: ServerEncryption, host = 'localhost'): Promise<string> {
  try {
    const { link } = await open(user, readServerTls(how, {}), host);
    link.socket.destroy();
    return link.socket instanceof TLSSocket ? 'encrypted' : 'clear';
  } catch (error) {
    const { sqlState, message } = error as PgError;
    return `${sqlState} ${message}`;
  }
}

describe.skipIf(!has('openssl'))('connections to servers', () => {
  beforeAll(async () => {
    certificates = await Certificates.create();
    certificates.issue('server', '/CN=localhost', { host: 'localhost' });
    certificates.issue('shown', '/CN=shown');
    certificates.authority('other');
    lab = await startTestCluster({ shards: ['a'] });
    const { primary } = lab.shard('a');
    await withSession(primary, lab.login, async (session) => {
      for (const role of ['safe', 'clear', 'shown']) {
        await session.query(`create role ${role} login password '${role}'`);
      }
    });
    await switchTlsOn(primary, lab.login, certificates);
    await replaceHba(primary, lab.login, hba);
  });

  afterAll(async () => {
    await lab?.stop();
    await certificates?.remove();
  });

  it.each([
    ['disable', 'app', 'clear'],
    ['disable', 'safe', '28000'],
    ['allow', 'app', 'clear'],
    ['allow', 'safe', 'encrypted'],
    ['prefer', 'app', 'encrypted'],
    ['prefer', 'safe', 'encrypted'],
    ['prefer', 'clear', 'clear'],
    ['require', 'app', 'encrypted'],
    ['require', 'clear', '28000'],
  ] as const)('with sslmode %s as %s: %s', async (mode, user, outcome) => {
    expect(await logIn(user, encryption(mode))).toMatch(new RegExp(`^${outcome}`));
  });

  it('verify the authority, and the host with verify-full only', async () => {
    const modes = ['require', 'verify-ca', 'verify-full'] as const;
    for (const mode of modes) {
      expect(await logIn('safe', encryption(mode, authority()))).toBe('encrypted');
      expect(await logIn('safe', encryption(mode, authority('other')))).toMatch(/certificate/);
    }
    const byNumber = (mode: SslMode) => logIn('safe', encryption(mode, authority()), '127.0.0.1');
    expect(await byNumber('verify-ca')).toBe('encrypted');
    expect(await byNumber('verify-full')).toMatch(/127\.0\.0\.1/);
  });

  it("verify with the machine's authorities", async () => {
    const how = encryption('verify-full', { rootCertificate: { kind: 'system' } });
    const bundle = certificates.certificate('ca');
    const { link } = await open('safe', readServerTls(how, { SSL_CERT_FILE: bundle }), 'localhost');
    expect(link.socket).toBeInstanceOf(TLSSocket);
    link.socket.destroy();
  });

  it('show a certificate of ours', async () => {
    const own = {
      certificateFile: certificates.certificate('shown'),
      keyFile: certificates.key('shown'),
    };
    expect(await logIn('shown', encryption('require', own))).toBe('encrypted');
    expect(await logIn('shown', encryption('require'))).toMatch(/^28000/);
  });

  it('carry cancel requests in the same way', async () => {
    const session = await open('safe', readServerTls(encryption('require'), {}), 'localhost');
    const { cancelKey: key, tls } = session;
    if (key === null) throw new Error('no cancel key');
    expect(tls.mode).toBe('require');
    const outcome = await new Promise((resolve) => {
      const request = { node: nodeAt('localhost'), key, clock: systemClock, timeoutMs: 5_000, tls };
      sendCancelRequest(request, resolve);
    });
    expect(outcome).toBe('settled');
    session.link.socket.destroy();
  });

  it('of the control role follow the same rules', async () => {
    const outcome = async (user: string, how: ServerEncryption) => {
      const login = { database: 'app', user, password: user, encryption: how };
      try {
        const node = nodeAt('localhost');
        const connection = await ControlConnection.open({ node, login, timeoutMs: 5_000 });
        const [row] = await connection.query<{ ssl: boolean }>(
          'select ssl from pg_stat_ssl where pid = pg_backend_pid()',
        );
        connection.close();
        return row?.ssl;
      } catch (error) {
        return (error as PgError).sqlState;
      }
    };
    expect(await outcome('app', encryption('disable'))).toBe(false);
    expect(await outcome('safe', encryption('disable'))).toBe('28000');
    expect(await outcome('safe', encryption('allow'))).toBe(true);
    expect(await outcome('app', encryption('prefer'))).toBe(true);
    expect(await outcome('clear', encryption('prefer'))).toBe(false);
    expect(await outcome('safe', encryption('verify-full', authority()))).toBe(true);
    expect(await outcome('safe', encryption('verify-full', authority('other')))).toBe('08006');
  });

  it('are refused by a server without TLS where it is required, and go on where it is not', async () => {
    const { primary } = lab.shard('a');
    const switched = (value: string) =>
      withSession(primary, lab.login, async (session) => {
        await session.query(`alter system set ssl = ${value}`);
        await session.query('select pg_reload_conf()');
      });
    await switched('off');
    await expect.poll(() => logIn('app', encryption('prefer'))).toBe('clear');
    expect(await logIn('app', encryption('require'))).toContain('does not support SSL');
    const login = {
      database: 'app',
      user: 'app',
      password: 'app',
      encryption: encryption('prefer'),
    };
    const options = { node: nodeAt('localhost'), login, timeoutMs: 5_000 };
    (await ControlConnection.open(options)).close();
    await switched('on');
  });
});
