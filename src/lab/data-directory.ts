import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unreachable } from '../base/assert.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { runCommand } from './run-command.ts';
import type { ServerAccount } from './server-account.ts';

/** The default collation of all databases of a server. */
export type Locale = {
  readonly provider: 'builtin' | 'icu' | 'libc';
  /** `C.UTF-8` (builtin), `en-US` (icu), a name of the operating system (libc). */
  readonly name: string;
};

export type DataDirectoryOptions = {
  readonly binaries: PostgresBinaries;
  readonly account: ServerAccount | null;
  readonly locale: Locale;
  /** Of the superuser `postgres`, who logs in by SCRAM-SHA-256; null: everybody is trusted. */
  readonly password: string | null;
  /** The text of postgresql.conf. */
  readonly settings: string;
};

/** Makes `directory`/data with a system identifier of its own; `directory` exists. */
export async function createDataDirectory(
  directory: string,
  options: DataDirectoryOptions,
): Promise<void> {
  const { account, binaries, password } = options;
  const data = join(directory, 'data');
  const passwordFile = join(directory, 'password');
  await mkdir(data, { recursive: true, mode: 0o700 });
  if (account !== null) await chown(data, account.uid, account.gid);
  const login =
    password === null ? ['--auth=trust'] : ['--auth=scram-sha-256', `--pwfile=${passwordFile}`];
  if (password !== null) await writeServerFile(passwordFile, `${password}\n`, account);
  await runCommand(
    binaries.initdb,
    [
      `--pgdata=${data}`,
      '--username=postgres',
      '--encoding=UTF8',
      '--no-sync',
      '--no-instructions',
      ...login,
      ...localeArguments(options.locale),
    ],
    account,
  );
  await rm(passwordFile, { force: true });
  await writeServerFile(join(data, 'postgresql.conf'), options.settings, account);
}

/** Writes a file that the server account owns and nobody else reads. */
export async function writeServerFile(
  path: string,
  text: string,
  account: ServerAccount | null,
): Promise<void> {
  await writeFile(path, text, { mode: 0o600 });
  if (account !== null) await chown(path, account.uid, account.gid);
}

function localeArguments({ provider, name }: Locale): string[] {
  switch (provider) {
    case 'builtin':
      // LC_CTYPE C exists everywhere; the builtin provider does not ask the system for anything.
      return ['--locale-provider=builtin', '--no-locale', `--builtin-locale=${name}`];
    case 'icu':
      return ['--locale-provider=icu', '--no-locale', `--icu-locale=${name}`];
    case 'libc':
      return ['--locale-provider=libc', `--locale=${name}`];
    default:
      return unreachable(provider);
  }
}
