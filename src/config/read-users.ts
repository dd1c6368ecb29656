import { isMd5Hash } from '../protocol/md5-password.ts';
import { parseScramVerifier } from '../protocol/scram-verifier.ts';
import type { User } from './config.ts';
import { configFile } from './config-file.ts';
import type { ConfigPath, ConfigSource } from './config-source.ts';
import type { HbaRule } from './hba.ts';
import { readEntries } from './read-shape.ts';
import { type PasswordOptions, readPassword } from './stored-password.ts';

const entrySchema = configFile.shape.users.def.innerType.valueType;

export type UserOptions = PasswordOptions & {
  readonly hba: readonly HbaRule[];
  /** A file, or a query. */
  readonly hasOtherUsers: boolean;
};

/**
 * A password is a plain one, or a verifier or hash as PostgreSQL stores it. All of them can also
 * log in to the servers: a verifier by the keys that its owner's login shows.
 */
export function readUsers(source: ConfigSource, options: UserOptions): ReadonlyMap<string, User> {
  const users = new Map<string, User>();
  for (const [name, entry] of readEntries(source, ['users'], entrySchema)) {
    const { password = null } = entry;
    checkPassword(source, ['users', name], password, options);
    const serverUser = entry.server_user ?? name;
    const read = readPassword(name, password, options);
    // An md5 hash is made of the name, and keys fit the role that they were made for.
    const isOwn = serverUser === name || read.serverSecret.kind === 'password';
    const own = isOwn ? read.serverSecret : ({ kind: 'none' } as const);
    users.set(name, {
      name,
      ...read,
      serverUser,
      serverSecret:
        entry.server_password === undefined
          ? own
          : { kind: 'password', password: entry.server_password },
      admin: entry.admin,
      stats: entry.stats || entry.admin,
      safeWrites: entry.safe_writes ?? null,
    });
  }
  const { hba, hasOtherUsers } = options;
  if (users.size === 0 && !hasOtherUsers && hba.every(({ method }) => method !== 'trust')) {
    const remedy = 'add "users:" with a line like "app: { password: ... }"';
    source.reportName(['users'], 'there are no users, so nobody can log in', remedy);
  }
  return users;
}

function checkPassword(
  source: ConfigSource,
  path: ConfigPath,
  password: string | null,
  { hba, allowMd5 }: UserOptions,
): void {
  const byPassword = ({ method }: HbaRule) => method === 'scram-sha-256' || method === 'md5';
  if (password === null) {
    if (!hba.every(byPassword)) return;
    const message = `the user "${String(path.at(-1))}" has no password, so cannot log in`;
    source.reportName(path, message, 'add "password: ...", plain or as a SCRAM-SHA-256 verifier');
    return;
  }
  const at = [...path, 'password'];
  const remedy = 'write the password, or copy rolpassword of a SCRAM user from pg_authid';
  if (isMd5Hash(password) && !allowMd5) {
    source.report(at, 'an md5 hash cannot be used as password without "allow_md5"', remedy);
  } else if (password.startsWith('SCRAM-SHA-256$') && parseScramVerifier(password) === null) {
    source.report(at, 'the SCRAM-SHA-256 verifier is damaged', remedy);
  }
}
