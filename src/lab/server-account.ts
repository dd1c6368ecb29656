import { readFile } from 'node:fs/promises';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';

/** The operating system's account that servers run under, when it is not our own. */
export type ServerAccount = { readonly uid: number; readonly gid: number };

/**
 * null: as ourselves. PostgreSQL refuses to run as root, so root takes `nobody` (or another
 * unprivileged entry: initdb looks its account up, a number alone will not do).
 */
export async function chooseServerAccount(): Promise<ServerAccount | null> {
  if (process.geteuid?.() !== 0) return null;
  const accounts = parseAccounts(await readFile('/etc/passwd', 'utf8'));
  const account = accounts.find(({ name }) => name === 'nobody') ?? accounts[0];
  if (account === undefined) {
    throw new PgError(
      SqlState.ioError,
      'postgresql does not run as root, and /etc/passwd lists no other account',
      { hint: 'run as an ordinary user, or add one (useradd pgweave)' },
    );
  }
  return { uid: account.uid, gid: account.gid };
}

function parseAccounts(passwd: string): (ServerAccount & { readonly name: string })[] {
  return passwd
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => Number(fields[2]) > 0 && Number(fields[3]) >= 0)
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}
