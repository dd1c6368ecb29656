import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
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
  account: ServerAccount | null,
): Promise<LabDirectory> {
  if (requested === null) {
    const made = await makeTemporary(account);
    return { path: made, kind: 'temporary', made };
  }
  const path = resolve(requested);
  const made = (await mkdir(path, { recursive: true })) ?? null;
  if (!(await canReach(path, account))) {
    if (made !== null) await rm(made, { recursive: true });
    throw new PgError(SqlState.ioError, `the account of the servers cannot reach ${path}`, {
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

async function makeTemporary(account: ServerAccount | null): Promise<string> {
  const parents = [...new Set([tmpdir(), '/tmp', '/var/tmp'])];
  for (const parent of parents) {
    const path = await mkdtemp(join(parent, 'pgweave-')).catch(() => null);
    if (path === null) continue;
    // Others may enter, not list: the data directories inside are closed to them.
    await chmod(path, 0o711);
    if (await canReach(path, account)) return path;
    await rm(path, { recursive: true });
  }
  throw new PgError(SqlState.ioError, `no usable temporary directory among ${parents.join(', ')}`, {
    hint: 'choose one with TMPDIR or --dir',
  });
}

/** Asks the system by entering as that account: modes alone do not tell of access lists. */
async function canReach(path: string, account: ServerAccount | null): Promise<boolean> {
  if (account === null) return true;
  try {
    await runCommand('/bin/sh', ['-c', 'cd "$0"', path], account);
    return true;
  } catch {
    return false;
  }
}
