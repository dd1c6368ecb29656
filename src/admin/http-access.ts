import { createHash, timingSafeEqual } from 'node:crypto';
import type { Admin } from '../config/config.ts';

/**
 * Whether the value of an Authorization header (RFC 7617, RFC 6750) is what the configuration asks
 * for; always, when it asks for nothing. Takes as long for a wrong word as for another wrong word.
 */
export function mayRead(
  { bearerToken, basic }: Pick<Admin, 'bearerToken' | 'basic'>,
  header: string | undefined,
): boolean {
  if (bearerToken === null && basic === null) return true;
  const [, scheme = '', word = ''] = /^(\S+) +(\S+) *$/.exec(header ?? '') ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return bearerToken !== null && isSame(word, bearerToken);
    case 'basic': {
      const given = Buffer.from(word, 'base64').toString('utf8');
      return basic !== null && isSame(given, `${basic.user}:${basic.password}`);
    }
    default:
      return false;
  }
}

/** What a client that may not is told to come with. */
export function challenge({ bearerToken }: Pick<Admin, 'bearerToken'>): string {
  return `${bearerToken === null ? 'Basic' : 'Bearer'} realm="pgweave"`;
}

function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
