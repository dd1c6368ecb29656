import { constants } from 'node:fs';
import { chmod, chown, copyFile, mkdir, readdir, readlink, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerAccount } from './server-account.ts';

export type CopyTreeOptions = {
  /** Owner of all copies; null: ourselves. */
  readonly account: ServerAccount | null;
  /** Path below the source, `/` between names, empty for the source itself; false leaves it out. */
  readonly include: (path: string) => boolean;
};

/**
 * Copies a directory that may change meanwhile: what vanishes is left out. Modes are kept; where
 * the file system can, blocks are shared instead of copied.
 */
export async function copyTree(
  source: string,
  target: string,
  options: CopyTreeOptions,
): Promise<void> {
  await copyDirectory(source, target, '', options);
}

async function copyDirectory(
  source: string,
  target: string,
  path: string,
  options: CopyTreeOptions,
): Promise<void> {
  const { mode } = await stat(join(source, path));
  const entries = await readdir(join(source, path), { withFileTypes: true });
  await mkdir(join(target, path), { recursive: true });
  await Promise.all(
    entries.map(async (entry) => {
      const below = path === '' ? entry.name : `${path}/${entry.name}`;
      if (!options.include(below)) return;
      if (entry.isDirectory()) await unlessVanished(copyDirectory(source, target, below, options));
      else if (entry.isSymbolicLink()) {
        await symlink(await readlink(join(source, below)), join(target, below));
      } else if (entry.isFile()) {
        await unlessVanished(copyOneFile(join(source, below), join(target, below), options));
      }
    }),
  );
  await chmod(join(target, path), mode);
  await own(join(target, path), options);
}

async function copyOneFile(
  source: string,
  target: string,
  options: CopyTreeOptions,
): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_FICLONE);
  await own(target, options);
}

async function own(path: string, { account }: CopyTreeOptions): Promise<void> {
  if (account !== null) await chown(path, account.uid, account.gid);
}

async function unlessVanished(copying: Promise<void>): Promise<void> {
  try {
    await copying;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
