import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { runCommand } from './run-command.ts';
import type { ServerAccount } from './server-account.ts';

/** The file that marks a directory as a finished lab of ours. */
export const recordFileName = 'lab.json';

/** Where a lab lives: one directory per server, the record, perhaps a copy of PostgreSQL. */
export type LabDirectory = {
  readonly path: string;
  /** `temporary` is removed at the end; `existing` holds a lab to start again. */
  readonly kind: 'temporary' | 'new' | 'existing';
  /** The uppermost directory that we made on the way to it; null: it was there. */
  readonly made: string | null;
};

/**
 * Opens `requested`, or makes a temporary directory where the server account can reach it. Never
 * adopts a directory that holds something else than a lab.
 */
export async function openLabDirectory(
  requested: string | null,
  temporaryParents: readonly string[],
  account: ServerAccount | null,
): Promise<LabDirectory> {
  if (requested === null) {
    const made = await makeTemporary(temporaryParents, account);
    return { path: made, kind: 'temporary', made };
  }
  const path = resolve(requested);
  const made = (await mkdir(path, { recursive: true })) ?? null;
  if (account !== null && !(await canRunFrom(path, account))) {
    if (made !== null) await rm(made, { recursive: true });
    throw new PgError(SqlState.ioError, `the account of the servers cannot use ${path}`, {
      hint: 'choose a directory whose parents everybody may enter (chmod o+x), or leave --dir out',
    });
  }
  const names = await readdir(path);
  if (names.includes(recordFileName)) return { path, kind: 'existing', made };
  if (names.length > 0) {
    throw new PgError(SqlState.ioError, `${path} is not empty and holds no pgweave lab`, {
      hint: 'choose an empty or a new directory',
    });
  }
  return { path, kind: 'new', made };
}

/** After a failure: removes what we made there, never a lab that existed before. */
export async function discardLabDirectory({ path, kind, made }: LabDirectory): Promise<void> {
  if (kind === 'existing') return;
  const names = made === null ? (await readdir(path)).map((name) => join(path, name)) : [made];
  await Promise.all(names.map((name) => rm(name, { recursive: true, force: true })));
}

async function makeTemporary(
  parents: readonly string[],
  account: ServerAccount | null,
): Promise<string> {
  for (const parent of parents) {
    const path = await mkdtemp(join(parent, 'pgweave-')).catch(() => null);
    if (path === null) continue;
    // Others may enter, not list: the data directories inside are closed to them.
    await chmod(path, 0o711);
    if (await canRunFrom(path, account)) return path;
    await rm(path, { recursive: true });
  }
  throw new PgError(SqlState.ioError, `no usable temporary directory among ${parents.join(', ')}`, {
    hint: 'choose one with TMPDIR or --dir',
  });
}

/**
 * Whether the account can run a program that lies there. Asked by doing it: modes alone do not tell
 * of access lists, closed parents and file systems mounted noexec.
 */
async function canRunFrom(path: string, account: ServerAccount | null): Promise<boolean> {
  const program = join(path, 'probe');
  try {
    await writeFile(program, '#!/bin/sh\n');
    await chmod(program, 0o755);
    await runCommand(program, [], account);
    return true;
  } catch {
    return false;
  } finally {
    await rm(program, { force: true });
  }
}
