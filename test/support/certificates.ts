import { execFileSync, spawnSync } from 'node:child_process';
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

  #files(name: string): string[] {
    return ['-keyout', `${name}.key`, '-out', `${name}.crt`];
  }

  #openssl(...words: string[]): void {
    execFileSync('openssl', words, { cwd: this.directory, stdio: 'ignore' });
  }
}

const newKey = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];
