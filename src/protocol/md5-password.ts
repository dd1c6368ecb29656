import { createHash } from 'node:crypto';

/** As pg_authid.rolpassword stores it: `md5` + hex(md5(password + user)). */
export function md5Hash(login: { readonly user: string; readonly password: string }): string {
  return `md5${createHash('md5').update(login.password).update(login.user).digest('hex')}`;
}

/**
 * The answer to AuthenticationMD5Password: `md5` + hex(md5(hex(md5(password + user)) + salt)), from
 * what `md5Hash` makes.
 */
export function md5Answer(hash: string, salt: Buffer): string {
  return `md5${createHash('md5').update(hash.slice(3)).update(salt).digest('hex')}`;
}

export function isMd5Hash(text: string): boolean {
  return /^md5[0-9a-f]{32}$/.test(text);
}
