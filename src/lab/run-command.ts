import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { ServerAccount } from './server-account.ts';

/** All that a server or tool inherits: nothing of ours (PGOPTIONS, LD_*) may change how it behaves. */
export const commandEnvironment = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/**
 * Runs a short command to its end. Rejects with 58030 and the reason from its standard error when
 * it cannot be run or fails. Not to be aborted: half an initdb would leave children that write.
 */
export function runCommand(
  file: string,
  args: readonly string[],
  account: ServerAccount | null,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: '/',
      env: commandEnvironment,
      // A session of its own, as for the servers: Ctrl-C is for us.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...account,
    });
    let tail = '';
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => {
      tail = (tail + text).slice(-4096);
    });
    child.on('error', (cause) => {
      reject(new PgError(SqlState.ioError, `could not run ${file}: ${cause.message}`, { cause }));
    });
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new PgError(SqlState.ioError, `${basename(file)} failed: ${reasonOf(tail)}`));
    });
  });
}

function reasonOf(standardError: string): string {
  const lines = standardError.split('\n').filter((line) => line.trim() !== '');
  const reason = lines.find((line) => /\b(error|fatal|panic):/i.test(line)) ?? lines.at(-1);
  // Without the time and pid that a server's log begins with.
  return reason?.replace(/^.*\[\d+\] /, '').trim() ?? 'it said nothing';
}
