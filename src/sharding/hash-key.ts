import type { Key } from './distribution.ts';
import { type Hash64, hashBytes, hashInteger } from './hash.ts';

/** The hash of a key that is already folded; see placementHashSql for the same on a server. */
export function hashKey(key: Key, out: Hash64): void {
  if (key.kind === 'bytes') hashBytes(key.bytes, out);
  else hashInteger(key.value, out);
}
