import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Admin, User } from '../config/config.ts';
import { encodeParameterStatus } from '../protocol/parameter-status.ts';

/** The database whose sessions talk to the admin console. */
export const adminDatabase = 'pgweave';

/** Drivers look at these before anything else; the console's own values. */
export const adminParameters = Buffer.concat(
  [
    ['server_version', '18.0'],
    ['server_encoding', 'UTF8'],
    ['client_encoding', 'UTF8'],
    ['DateStyle', 'ISO, MDY'],
    ['integer_datetimes', 'on'],
    ['standard_conforming_strings', 'on'],
  ].map(([name = '', value = '']) => encodeParameterStatus(name, value)),
);

/** With the rights that `admin` adds. Throws PgError 42501 for a user without any. */
export function withConsoleRight(user: User, { adminUsers, statsUsers }: Admin): User {
  const { name } = user;
  const admin = user.admin || adminUsers.includes(name);
  if (admin || user.stats || statsUsers.includes(name)) return { ...user, admin, stats: true };
  throw new PgError(
    SqlState.insufficientPrivilege,
    `permission denied for database "${adminDatabase}"`,
    { severity: 'FATAL', hint: `Give user "${name}" the option stats: true or admin: true.` },
  );
}
