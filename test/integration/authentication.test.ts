import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Certificates, has } from '../support/certificates.ts';
import { RawClient, requestPacket, startupPacket } from '../support/raw-client.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

let served: ServedCluster;
let certificates: Certificates;

/** The hba rules below; the rest of the configuration stays. */
const rules = `hba:
  - { user: banned, method: reject }
  - { type: hostssl, user: kim, method: cert }
  - { type: hostssl, user: lee, method: cert, map: mail }
  - { type: hostssl, user: dora, method: cert, clientname: DN, map: subjects }
  - { type: hostssl, user: both, method: scram-sha-256, clientcert: verify-full }
  - { type: hostssl, user: old, method: md5 }
  - { user: [app, reader], method: scram-sha-256 }
  - { user: local, database: app, address: [127.0.0.1, "::1"], method: trust }
  - { type: hostnossl, user: plainonly, method: scram-sha-256 }
ident:
  mail: [{ system_user: '/^(.*)@example\\.com$', user: '\\1' }]
  subjects: [{ system_user: 'CN=Dora,O=Acme', user: dora }]
allow_md5: true
`;
const users = ['banned', 'kim', 'lee', 'dora', 'both', 'old', 'local', 'plainonly']
  .map((name) => `  ${name}: { password: ${name}, server_user: app, server_password: app }\n`)
  .join('');

type Outcome = { readonly status: number | null; readonly out: string; readonly error: string };

/** psql, that is libpq; the connection string's keywords beyond user, password and database. */
function psql(user: string, words = '', database = 'app'): Promise<Outcome> {
  const target = `host=localhost port=${served.port} user=${user} dbname=${database}`;
  const child = spawn('psql', ['-X', '-Atc', 'select 1', `${target} ${words}`], {
    env: { PATH: process.env['PATH'], LC_ALL: 'C', PGPASSWORD: user, HOME: '/nonexistent' },
  });
  let [out, error] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    error += chunk;
  });
  return new Promise((resolve) => {
    child.on('close', (status) => resolve({ status, out: out.trim(), error }));
  });
}

function shown(name: string): string {
  return `sslmode=require sslcert=${certificates.certificate(name)} sslkey=${certificates.key(name)}`;
}

describe.skipIf(!has('openssl') || !has('psql'))('authentication of clients', () => {
  beforeAll(async () => {
    certificates = await Certificates.create();
    certificates.issue('server', '/CN=localhost', { host: 'localhost' });
    certificates.authority('other');
    for (const [name, subject, by] of [
      ['kim', '/CN=kim', 'ca'],
      ['mail', '/CN=lee@example.com', 'ca'],
      ['dora', '/O=Acme/CN=Dora', 'ca'],
      ['both', '/CN=both', 'ca'],
      ['forged', '/CN=kim', 'other'],
    ] as const) {
      certificates.issue(name, subject, { by });
    }
    certificates.issue('stolen', '/CN=kim');
    certificates.issueExpired('expired', '/CN=kim');
    certificates.revoke();
    served = await ServedCluster.start({
      shards: ['a'],
      schema: entrySchema,
      users,
      more: `${rules}tls:
  certificate_file: ${certificates.certificate('server')}
  key_file: ${certificates.key('server')}
  ca_file: ${certificates.certificate('ca')}
  crl_file: ${certificates.certificate('revoked')}
`,
    });
  });

  afterAll(async () => {
    await served?.stop();
    await certificates?.remove();
  });

  it('binds SCRAM to the channel when the client wants it', async () => {
    const required = await psql('app', 'sslmode=require channel_binding=require');
    expect(required).toEqual({ status: 0, out: '1', error: '' });
    expect((await psql('app', 'sslmode=require channel_binding=disable')).status).toBe(0);
    const clear = await psql('app', 'sslmode=disable channel_binding=require');
    expect(clear.error).toMatch(/channel binding/);
  });

  it('lets certificates in by name, by map and by whole subject', async () => {
    expect(await psql('kim', shown('kim'))).toMatchObject({ status: 0, out: '1' });
    expect(await psql('lee', shown('mail'))).toMatchObject({ status: 0, out: '1' });
    expect(await psql('dora', shown('dora'))).toMatchObject({ status: 0, out: '1' });
    expect(await psql('both', shown('both'))).toMatchObject({ status: 0, out: '1' });
  });

  it('refuses certificates of another name, of another authority, and none', async () => {
    const refusals = [
      [await psql('kim', shown('mail')), 'certificate authentication failed for user "kim"'],
      [await psql('lee', shown('kim')), 'certificate authentication failed for user "lee"'],
      [await psql('both', shown('kim')), 'certificate authentication failed for user "both"'],
      [await psql('kim', 'sslmode=require'), 'connection requires a valid client certificate'],
      [await psql('kim', shown('forged')), 'the certificate of the client is not valid'],
      [await psql('app', shown('forged')), 'the certificate of the client is not valid'],
      [await psql('kim', 'sslmode=disable'), 'no hba entry for host'],
    ] as const;
    for (const [{ status, error }, message] of refusals) {
      expect([status, error]).toEqual([2, expect.stringContaining(message)]);
    }
  });

  it('refuses certificates that have expired, and that are revoked from then on', async () => {
    const invalid = 'the certificate of the client is not valid';
    expect((await psql('kim', shown('expired'))).error).toContain(invalid);
    expect(await psql('kim', shown('stolen'))).toMatchObject({ status: 0 });
    certificates.revoke('stolen');
    // The list is a file that is watched.
    await served.until('the certificate to be refused', async () => {
      return (await psql('kim', shown('stolen'))).error.includes(invalid);
    });
    expect(await psql('kim', shown('kim'))).toMatchObject({ status: 0 });
  });

  it('goes by the first rule that fits, and refuses who fits none', async () => {
    expect((await psql('banned')).error).toContain('the hba configuration rejects connection for');
    expect((await psql('stranger')).error).toMatch(
      /no hba entry for host ".*", user "stranger", database "app", SSL encryption/,
    );
    expect(await psql('local', 'sslmode=disable')).toMatchObject({ status: 0 });
    expect((await psql('local', '', 'pgweave')).error).toContain('no hba entry');
    expect((await psql('plainonly', 'sslmode=require')).error).toContain('no hba entry');
    expect((await psql('plainonly', 'sslmode=prefer')).status).toBe(0);
    expect((await psql('app', 'sslmode=disable')).status).toBe(0);
  });

  it('asks by md5 where that is switched on', async () => {
    expect(await psql('old', 'sslmode=require')).toMatchObject({ status: 0, out: '1' });
    expect((await psql('old', 'sslmode=require channel_binding=require')).status).toBe(2);
  });

  it('needs a right for the admin console', async () => {
    await expect(
      served.connect({ database: 'pgweave', user: 'plainonly', password: 'plainonly' }),
    ).rejects.toMatchObject({ code: '42501' });
    await expect(served.console('reload', 'reader')).rejects.toMatchObject({ code: '42501' });
    expect((await served.console('show version', 'reader')).length).toBe(1);
  });

  it('takes TLS from the first byte, with ALPN only', async () => {
    const direct = (ALPNProtocols: string[] | undefined) =>
      new Promise<string>((resolve, reject) => {
        const socket: TLSSocket = connectTls({
          host: 'localhost',
          port: served.port,
          rejectUnauthorized: false,
          ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }),
        });
        socket.once('secureConnect', () => {
          socket.write(startupPacket({ user: 'app', database: 'app' }));
        });
        socket.once('data', (chunk: Buffer) => {
          resolve(chunk.toString('latin1'));
          socket.destroy();
        });
        socket.once('error', reject);
      });
    expect(await direct(['postgresql'])).toMatch(/^R.*SCRAM-SHA-256-PLUS/s);
    expect(await direct(undefined)).toMatch(/^E.*without ALPN/s);
    await expect(direct(['http/1.1'])).rejects.toThrow(/alert|ALPN|application protocol/i);
  });

  it('takes nothing that came in clear text with the request for TLS', async () => {
    const client = await RawClient.connect(served.port);
    const startup = startupPacket({ user: 'app', database: 'app' });
    client.socket.write(Buffer.concat([requestPacket(80_877_103), startup]));
    await served.until('the connection to be ended', () => client.ended);
    expect(client.received.toString()).toContain('received unencrypted data after SSL request');
  });

  it('takes a renewed certificate up without dropping a session', async () => {
    const ca = await readFile(certificates.certificate('ca'), 'utf8');
    const before = await served.connect({ host: 'localhost', ssl: { ca } });
    const serial = () =>
      new Promise<string>((resolve, reject) => {
        const options = { host: 'localhost', port: served.port, ALPNProtocols: ['postgresql'], ca };
        const socket: TLSSocket = connectTls(options, () => {
          resolve(socket.getPeerCertificate().serialNumber);
          socket.destroy();
        });
        socket.once('error', reject);
      });
    const old = await serial();
    certificates.issue('server', '/CN=localhost', { host: 'localhost' });
    await served.console('reload');
    expect(await serial()).not.toBe(old);
    expect((await before.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await before.end();
    expect((await psql('app', 'sslmode=require channel_binding=require')).status).toBe(0);
  });

  it('counts failed logins, and slows down the address that they come from', async () => {
    const failures = () => served.metric('pgweave_login_failures_total');
    const before = await failures();
    const attempt = async () => {
      const startedAt = performance.now();
      const wrong = served.connect({ user: 'app', password: 'guess' });
      await expect(wrong).rejects.toMatchObject({ code: '28P01' });
      return performance.now() - startedAt;
    };
    const times: number[] = [];
    for (let count = 0; count < 14; count++) times.push(await attempt());
    expect(await failures()).toBeGreaterThanOrEqual(before + 14);
    expect(Math.max(...times)).toBeGreaterThan(300);
    expect(served.run.stderr).toContain('a login failed');
    expect(served.run.stderr).not.toContain('guess');
  });
});
