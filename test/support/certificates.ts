import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether the program is on this machine; what needs it is skipped elsewhere. */
export function has(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined;
}

/** A directory with an authority of its own, `ca`, and certificates signed by it; openssl makes them. */
export class Certificates {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<Certificates> {
    const made = new Certificates(await mkdtemp(join(tmpdir(), 'pgweave-tls-')));
    made.authority('ca');
    return made;
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Of `<name>.crt`. */
  certificate(name: string): string {
    return join(this.directory, `${name}.crt`);
  }

  key(name: string): string {
    return join(this.directory, `${name}.key`);
  }

  authority(name: string): void {
    this.#openssl('req', '-x509', ...newKey, '-subj', `/CN=${name}`, ...this.#files(name));
  }

  /** `subject` as openssl writes it, `/O=Acme/CN=kim`; `host` is its alternative name. */
  issue(
    name: string,
    subject: string,
    { host, by = 'ca', hash = 'sha256' }: { host?: string; by?: string; hash?: string } = {},
  ): void {
    this.#openssl(
      ...['req', '-x509', ...newKey, `-${hash}`, '-subj', subject],
      ...(host === undefined ? [] : ['-addext', `subjectAltName=DNS:${host}`]),
      ...['-addext', 'basicConstraints=CA:FALSE', '-CA', `${by}.crt`, '-CAkey', `${by}.key`],
      ...this.#files(name),
    );
  }

  /** One that was valid in 2020. */
  issueExpired(name: string, subject: string): void {
    const request = ['-newkey', 'rsa:2048', '-nodes', '-subj', subject];
    this.#openssl('req', ...request, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    this.#authorityDoes(
      ...['-batch', '-notext', '-in', `${name}.csr`, '-out', `${name}.crt`, '-create_serial'],
      ...['-startdate', '20200101000000Z', '-enddate', '20210101000000Z'],
    );
  }

  /** Writes `revoked.crt`, the authority's list of those that count no more. */
  revoke(...names: readonly string[]): void {
    for (const name of names) this.#authorityDoes('-revoke', `${name}.crt`);
    this.#authorityDoes('-gencrl', '-crldays', '2', '-out', 'revoked.crt');
  }

  #authorityDoes(...words: readonly string[]): void {
    const file = (name: string) => join(this.directory, name);
    if (!existsSync(file('authority.cnf'))) {
      writeFileSync(file('authority.cnf'), authorityConfig);
      writeFileSync(file('index.txt'), '');
    }
    const itself = ['-config', 'authority.cnf', '-cert', 'ca.crt', '-keyfile', 'ca.key'];
    this.#openssl('ca', ...itself, ...words);
  }

  #files(name: string): string[] {
    return ['-keyout', `${name}.key`, '-out', `${name}.crt`];
  }

  #openssl(...words: string[]): void {
    execFileSync('openssl', words, { cwd: this.directory, stdio: 'ignore' });
  }
}

const newKey = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];

/** For what openssl does in an authority's name only. */
const authorityConfig = `[ca]
default_ca = own
[own]
database = index.txt
serial = serial
unique_subject = no
new_certs_dir = .
default_md = sha256
policy = any
[any]
commonName = supplied
`;
