import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isRunning } from './pid-tree.ts';
import { runCommand } from './run-command.ts';
import type { ServerAccount } from './server-account.ts';

/**
 * Gives back the System V segment (a few bytes, but the system has a limited number) that a killed
 * server leaves until it starts again. Line 7 of the lock file holds its key and id; a server that
 * was stopped has removed both. To be called when nothing of the server runs any more.
 */
export async function releaseSharedMemory(
  dataDirectory: string,
  account: ServerAccount | null,
): Promise<void> {
  const lockFile = await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = lockFile.split('\n');
  const [, id] = lines[6]?.trim().split(/\s+/) ?? [];
  // It may be the lock of somebody else's server, which kept ours from starting.
  if (id === undefined || isRunning(Number(lines[0]))) return;
  // Not there any more, or no ipcrm on this system: nothing that anybody would notice.
  await runCommand('ipcrm', ['-m', id], account).catch(() => {});
}
