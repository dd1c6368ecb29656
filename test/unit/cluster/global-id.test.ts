import { describe, expect, it } from 'vitest';
import {
  coordinatorOf,
  GlobalIds,
  readGlobalId,
} from '../../../src/cluster/transactions/global-id.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';

const instance = '0123456789abcdef';

describe('a global id', () => {
  it('names its coordinator and is never minted twice', () => {
    const ids = new GlobalIds(instance);
    const minted = Array.from({ length: 100 }, () => ids.mint('a.b-c_1' as ShardId));
    expect(new Set(minted).size).toBe(100);
    for (const id of minted) {
      expect(readGlobalId(id)).toBe(id);
      expect(coordinatorOf(id)).toBe('a.b-c_1');
    }
  });

  it('fits into what PostgreSQL takes, in the longest case', () => {
    const id = new GlobalIds(instance).mint('x'.repeat(63) as ShardId);
    expect(id.length + 10).toBeLessThan(200);
    expect(readGlobalId(id)).toBe(id);
  });

  it.each([
    '',
    'pgweave',
    'other/a/0123456789abcdef/1',
    'pgweave//0123456789abcdef/1',
    'pgweave/a/0123456789abcde/1',
    'pgweave/a/0123456789abcdef/',
    "pgweave/a'/0123456789abcdef/1",
    'pgweave/a/0123456789abcdef/1 ',
    'pgweave/a/0123456789abcdef/1\n',
  ])('is not read from %j', (text) => {
    expect(readGlobalId(text)).toBeNull();
  });
});
