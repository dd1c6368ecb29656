import { assert } from '../base/assert.ts';
import type { Key } from './distribution.ts';

/** Negative, zero or positive; byte order (memcmp) for bytes. Both keys are of one distribution. */
export function compareKeys(a: Key, b: Key): number {
  if (a.kind === 'bytes') {
    assert(b.kind === 'bytes', 'keys of two kinds are compared');
    return Buffer.compare(a.bytes, b.bytes);
  }
  assert(b.kind === 'integer', 'keys of two kinds are compared');
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}
