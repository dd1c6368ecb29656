import { stat } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';

const periodMs = 1_000;

/**
 * Notices that a file was replaced or written, by looking at it now and then: links that are
 * exchanged, as orchestrators do with secrets, escape the kernel's notifications.
 */
export class FileWatch {
  readonly #files: () => readonly string[];
  readonly #stop: () => void;
  #seen: string;
  #looking = false;

  /**
   * `seen`: the marks of the files when they were read. `changed` is called after a second at most,
   * and again when it changes during that.
   */
  constructor(clock: Clock, seen: string, files: () => readonly string[], changed: () => void) {
    this.#seen = seen;
    this.#files = files;
    this.#stop = clock.every(periodMs, () => {
      // #look never rejects.
      void this.#look(changed);
    });
  }

  close(): void {
    this.#stop();
  }

  async #look(changed: () => void): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const now = await marksOf(this.#files());
    this.#looking = false;
    const before = this.#seen;
    this.#seen = now;
    if (before !== now) changed();
  }
}

/** Certificates, keys and users: what may change while the configuration stays. */
export function credentialFiles({ tls, serverEncryption, usersFile }: Config): readonly string[] {
  const { rootCertificate, certificateFile, keyFile, crlFile } = serverEncryption;
  return [
    ...(tls === null ? [] : [tls.certificateFile, tls.keyFile, tls.caFile, tls.crlFile]),
    ...(rootCertificate?.kind === 'file' ? [rootCertificate.file] : []),
    certificateFile,
    keyFile,
    crlFile,
    usersFile,
  ].filter((file) => file !== null);
}

/** Other ones when one of the files is another, or has been written. Take them before reading. */
export async function marksOf(files: readonly string[]): Promise<string> {
  return (await Promise.all(files.map(markOf))).join('\n');
}

async function markOf(file: string): Promise<string> {
  try {
    const { ino, mtimeMs, size } = await stat(file);
    return `${file} ${ino} ${mtimeMs} ${size}`;
  } catch {
    return `${file} is not there`;
  }
}
