import { createHash } from 'node:crypto';

/**
 * The name that a client's named statement has on every server: by content, so that all clients
 * with the same text share one, and a server connection parses it once.
 */
export function serverStatementName(tail: Buffer): string {
  return `pgweave_${createHash('sha256').update(tail).digest('base64url').slice(0, 24)}`;
}
