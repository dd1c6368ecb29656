import type { User } from './config.ts';
import { type PasswordOptions, readPassword } from './stored-password.ts';

/**
 * A user who is written outside of the configuration: its own role on the servers, and the rights
 * that `admin` gives it there. `password` as in pg_authid.rolpassword; null: has none.
 */
export function accountOf(name: string, password: string | null, options: PasswordOptions): User {
  return {
    name,
    ...readPassword(name, password, options),
    serverUser: name,
    admin: false,
    stats: false,
    safeWrites: null,
  };
}
