import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Certificates, has } from '../support/certificates.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

let served: ServedCluster;
let certificates: Certificates;
let authority: string;

// A certificate for "localhost" signed by an authority of our own; openssl makes both.
describe.skipIf(!has('openssl'))('TLS towards clients', () => {
  beforeAll(async () => {
    certificates = await Certificates.create();
    certificates.issue('server', '/CN=localhost', { host: 'localhost' });
    authority = certificates.certificate('ca');
    const [certificate, key] = [certificates.certificate('server'), certificates.key('server')];
    served = await ServedCluster.start({
      shards: ['a', 'b'],
      schema: entrySchema,
      more: `tls: { certificate_file: ${certificate}, key_file: ${key}, min_version: TLSv1.3 }`,
    });
  });

  afterAll(async () => {
    await served?.stop();
    await certificates?.remove();
  });

  it('carries queries over several shards and large answers for node pg', async () => {
    const ca = await readFile(authority, 'utf8');
    const client = await served.connect({ host: 'localhost', ssl: { ca } });
    await client.query("insert into entry values (1, 'one')");
    const wide = "select repeat('y', 100000) as wide from generate_series(1, 100)";
    const { rows } = await client.query(wide);
    expect(rows.map(({ wide }) => wide.length)).toEqual(new Array(100).fill(100_000));
    expect((await client.query('select count(*)::int as rows from entry')).rows).toEqual([
      { rows: 1 },
    ]);
    const clients = await served.console('show clients');
    expect(clients.map(({ tls }) => tls)).toContain('yes');
    await client.end();
  });

  it('is not older than min_version says', async () => {
    const ca = await readFile(authority, 'utf8');
    const old = { ca, maxVersion: 'TLSv1.2' } as const;
    await expect(served.connect({ host: 'localhost', ssl: old })).rejects.toThrow(/version|alert/i);
    const client = await served.connect({ host: 'localhost', ssl: { ca, minVersion: 'TLSv1.3' } });
    await client.end();
  });

  it('is verified: another authority is not believed', async () => {
    const ca = await readFile(certificates.certificate('server'), 'utf8');
    await expect(served.connect({ host: 'localhost', ssl: { ca } })).rejects.toThrow(/certificate/);
    await expect(
      served.connect({ host: '127.0.0.1', ssl: { ca: await readFile(authority, 'utf8') } }),
    ).rejects.toThrow(/IP|altnames|certificate/i);
  });

  it.skipIf(!has('psql'))('satisfies every sslmode of psql', () => {
    const psql = (host: string, ...parameters: string[]) =>
      spawnSync(
        'psql',
        [
          '--no-psqlrc',
          '-Atc',
          'select count(*) from entry',
          '-c',
          '\\conninfo',
          [`host=${host} port=${served.port} user=app password=app dbname=app`, ...parameters].join(
            ' ',
          ),
        ],
        { env: { ...process.env, LC_ALL: 'C' }, encoding: 'utf8' },
      );
    for (const mode of ['require', 'verify-ca', 'verify-full', 'prefer']) {
      const { status, stdout, stderr } = psql(
        'localhost',
        `sslmode=${mode}`,
        `sslrootcert=${authority}`,
      );
      expect([mode, status, stderr]).toEqual([mode, 0, '']);
      expect(stdout).toMatch(/^1\n[\s\S]*SSL connection \(protocol: TLSv1\.[23]/);
    }
    expect(psql('localhost', 'sslmode=disable').stdout).toMatch(/^1\n(?![\s\S]*SSL connection)/);
    const wrongHost = psql('127.0.0.1', 'sslmode=verify-full', `sslrootcert=${authority}`);
    expect(wrongHost.status).toBe(2);
    expect(wrongHost.stderr).toMatch(/certificate/);
    const wrongAuthority = psql(
      'localhost',
      'sslmode=verify-ca',
      `sslrootcert=${certificates.certificate('server')}`,
    );
    expect(wrongAuthority.status).toBe(2);
  });
});
