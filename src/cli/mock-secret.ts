import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';

/** PostgreSQL's name for the same thing in its control file. */
const fileName = 'mock_authentication_nonce';

/**
 * 32 bytes, hexadecimal, made once for the installation: salts are the same after a restart, so
 * that nobody can tell by a changing one that a user does not exist. Rejects with PgError F0000.
 */
export async function readMockSecret(stateDirectory: string): Promise<string> {
  const path = join(stateDirectory, fileName);
  try {
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    return (await written(path)) ?? (await create(path));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PgError(SqlState.configFileError, `cannot keep ${path}: ${reason}`, { cause });
  }
}

/** Null when there is none, or half of one: a crash may have come in between. */
async function written(path: string): Promise<string | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return /^[0-9a-f]{64}$/.test(text) ? text : null;
}

async function create(path: string): Promise<string> {
  const secret = randomBytes(32).toString('hex');
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(secret);
    await file.sync();
  } finally {
    await file.close();
  }
  return secret;
}
