import {
  buildScramVerifier,
  parseScramVerifier,
  scramIterations,
} from '../protocol/scram-verifier.ts';
import type { Config, User } from './config.ts';
import { configFile } from './config-file.ts';
import type { ConfigPath, ConfigSource } from './config-source.ts';
import { readEntries } from './read-shape.ts';

const entrySchema = configFile.shape.users.def.innerType.valueType;

export type UserOptions = {
  readonly authentication: Config['authentication'];
  /** Random bytes for the SCRAM verifier of a user whose password is in the file. */
  readonly salt: () => Buffer;
};

/**
 * A password is a plain one or a verifier as PostgreSQL stores it. Only the plain one can also log
 * in to the servers.
 */
export function readUsers(source: ConfigSource, options: UserOptions): ReadonlyMap<string, User> {
  const users = new Map<string, User>();
  for (const [name, entry] of readEntries(source, ['users'], entrySchema)) {
    const { password = null } = entry;
    checkPassword(source, ['users', name], password, options);
    const isVerifier = password !== null && parseScramVerifier(password) !== null;
    users.set(name, {
      name,
      verifier: isVerifier || password === null ? password : verifierOf(password, options),
      serverUser: entry.server_user ?? name,
      serverPassword: entry.server_password ?? (isVerifier ? null : password),
      admin: entry.admin,
    });
  }
  if (users.size === 0 && options.authentication !== 'trust') {
    const remedy = 'add "users:" with a line like "app: { password: ... }"';
    source.reportName(['users'], 'there are no users, so nobody can log in', remedy);
  }
  return users;
}

function checkPassword(
  source: ConfigSource,
  path: ConfigPath,
  password: string | null,
  { authentication }: UserOptions,
): void {
  if (password === null) {
    if (authentication === 'trust') return;
    const message = `the user "${String(path.at(-1))}" has no password, so cannot log in`;
    source.reportName(path, message, 'add "password: ...", plain or as a SCRAM-SHA-256 verifier');
    return;
  }
  const at = [...path, 'password'];
  const remedy = 'write the password, or copy rolpassword of a SCRAM user from pg_authid';
  if (/^md5[0-9a-f]{32}$/.test(password)) {
    source.report(at, 'an md5 hash cannot be used as password', remedy);
  } else if (password.startsWith('SCRAM-SHA-256$') && parseScramVerifier(password) === null) {
    source.report(at, 'the SCRAM-SHA-256 verifier is damaged', remedy);
  }
}

function verifierOf(password: string, { salt }: UserOptions): string {
  return buildScramVerifier(password, salt(), scramIterations);
}
