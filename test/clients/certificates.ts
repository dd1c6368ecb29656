import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeServerFile } from '../../src/lab/data-directory.ts';
import { chooseServerAccount } from '../../src/lab/server-account.ts';

/** Paths in one new directory, which is the caller's to remove. */
export type Certificates = {
  readonly directory: string;
  /** The authority that clients believe. */
  readonly authority: string;
  /** For `localhost`; the servers' account can read the key. */
  readonly certificate: string;
  readonly key: string;
  /** Of a client that is called `holder`; the key as PEM, and as PKCS #8 in DER for Java. */
  readonly holder: { readonly certificate: string; readonly key: string; readonly der: string };
};

/** An authority of our own and what it signs; openssl makes both. */
export async function makeCertificates(): Promise<Certificates> {
  const directory = await mkdtemp(join(tmpdir(), 'pgweave-clients-'));
  await chmod(directory, 0o755);
  const openssl = (...words: string[]) =>
    execFileSync('openssl', words, { cwd: directory, stdio: 'ignore' });
  const newKey = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...newKey, '-subj', '/CN=test', '-keyout', 'ca.key', '-out', 'ca.crt');
  openssl(
    ...['req', '-x509', ...newKey, '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=CA:FALSE'],
    ...['-CA', 'ca.crt', '-CAkey', 'ca.key', '-keyout', 'own.key', '-out', 'server.crt'],
  );
  openssl(
    ...['req', '-x509', ...newKey, '-subj', '/CN=holder', '-addext', 'basicConstraints=CA:FALSE'],
    ...['-CA', 'ca.crt', '-CAkey', 'ca.key', '-keyout', 'holder.key', '-out', 'holder.crt'],
  );
  const toDer = ['-topk8', '-nocrypt', '-outform', 'DER'];
  openssl('pkcs8', ...toDer, '-in', 'holder.key', '-out', 'holder.der');
  const path = (name: string) => join(directory, name);
  const key = await readFile(path('own.key'), 'utf8');
  await writeServerFile(path('server.key'), key, await chooseServerAccount());
  return {
    directory,
    authority: path('ca.crt'),
    certificate: path('server.crt'),
    key: path('server.key'),
    holder: { certificate: path('holder.crt'), key: path('holder.key'), der: path('holder.der') },
  };
}
