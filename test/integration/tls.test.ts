import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

const has = (program: string) => spawnSync(program, ['--version']).error === undefined;

let served: ServedCluster;
let directory: string;
let authority: string;

// A certificate for "localhost" signed by an authority of our own; openssl makes both.
describe.skipIf(!has('openssl'))('TLS towards clients', () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pgweave-tls-'));
    authority = join(directory, 'ca.crt');
    const openssl = (...words: string[]) =>
      execFileSync('openssl', words, { cwd: directory, stdio: 'ignore' });
    const newKey = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];
    openssl('req', '-x509', ...newKey, '-subj', '/CN=test', '-keyout', 'ca.key', '-out', 'ca.crt');
    openssl(
      ...['req', '-x509', ...newKey, '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=CA:FALSE'],
      ...['-CA', 'ca.crt', '-CAkey', 'ca.key', '-keyout', 'server.key', '-out', 'server.crt'],
    );
    const [certificate, key] = ['server.crt', 'server.key'].map((name) => join(directory, name));
    served = await ServedCluster.start({
      shards: ['a', 'b'],
      schema: entrySchema,
      more: `tls: { certificate_file: ${certificate}, key_file: ${key} }`,
    });
  });

  afterAll(async () => {
    await served?.stop();
    await rm(directory, { recursive: true, force: true });
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

  it('is verified: another authority is not believed', async () => {
    const ca = await readFile(join(directory, 'server.crt'), 'utf8');
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
      `sslrootcert=${join(directory, 'server.crt')}`,
    );
    expect(wrongAuthority.status).toBe(2);
  });
});
