import { describe, expect, it } from 'vitest';
import { findDeadlocks, type Holder } from '../../../src/cluster/transactions/find-deadlocks.ts';
import type { LockWait } from '../../../src/cluster/transactions/lock-waits.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';

/** `a: 1>2 3` says that on shard a the backend 1 waits for 2 and 3. It began at the time 1. */
function waits(...lines: string[]): ReadonlyMap<ShardId, readonly LockWait[]> {
  const all = new Map<ShardId, LockWait[]>();
  for (const line of lines) {
    const [, shard = '', pid = '', blockers = ''] = /^(\w+): (\d+)>(.*)$/.exec(line) ?? [];
    const wait = {
      pid: Number(pid),
      blockers: blockers.split(' ').map(Number),
      beganAt: Number(pid),
    };
    all.set(shard as ShardId, [...(all.get(shard as ShardId) ?? []), wait]);
  }
  return all;
}

/** `7 a1 b2`: the session 7, begun at the time 7, has the backends 1 on a and 2 on b. */
function holders(...lines: string[]): readonly Holder[] {
  return lines.map((line) => {
    const [session, ...backends] = line.split(' ');
    return {
      session: Number(session),
      beganAt: Number(session),
      backends: backends.map((text) => ({
        shard: text.slice(0, 1) as ShardId,
        pid: Number(text.slice(1)),
      })),
    };
  });
}

function victims(edges: string[], sessions: string[]): readonly number[] {
  return findDeadlocks(waits(...edges), holders(...sessions)).map(({ session }) => session);
}

describe('deadlocks over shards', () => {
  it('are found between two, and the one that began last is given up', () => {
    expect(victims(['a: 1>2', 'b: 4>3'], ['7 a1 b3', '8 a2 b4'])).toEqual([8]);
    expect(victims(['a: 1>2', 'b: 4>3'], ['9 a1 b3', '8 a2 b4'])).toEqual([9]);
  });

  it('are found over three shards, and through transactions on one shard only', () => {
    const sessions = ['7 a1 c6', '8 a2 b3', '9 b5 c7'];
    expect(victims(['a: 1>2', 'b: 3>4', 'b: 4>5', 'c: 7>6'], sessions)).toEqual([9]);
  });

  it('are none where one waits for another that does not wait', () => {
    expect(victims(['a: 1>2', 'b: 5>4'], ['7 a1 b3', '8 a2 b4'])).toEqual([]);
  });

  it('are none within one shard: its server finds them', () => {
    expect(victims(['a: 1>2', 'a: 2>1', 'b: 3>4'], ['7 a5 b3', '8 a6 b4'])).toEqual([]);
  });

  it('are none between backends of equal numbers on different shards', () => {
    expect(victims(['a: 1>2', 'b: 2>1'], [])).toEqual([]);
  });

  it('do not go through prepared transactions, which wait for nobody', () => {
    expect(victims(['a: 1>0', 'b: 0>1'], ['7 a1 b1'])).toEqual([]);
  });

  it('are all found, and one victim of two cycles is enough', () => {
    const apart = ['a: 1>2', 'b: 4>3', 'a: 11>12', 'b: 14>13'];
    expect(victims(apart, ['7 a1 b3', '8 a2 b4', '17 a11 b13', '18 a12 b14']).toSorted()).toEqual([
      18, 8,
    ]);
    const joined = ['a: 1>2', 'b: 4>3', 'c: 6>5', 'b: 4>9'];
    expect(victims(joined, ['7 a1 b3', '8 a2 b4 c5', '9 b9 c6'])).toHaveLength(1);
  });

  it('have the same key as long as they last, and another one when they are others', () => {
    const sessions = holders('7 a1 b3', '8 a2 b4');
    const [first] = findDeadlocks(waits('a: 1>2', 'b: 4>3'), sessions);
    const [again] = findDeadlocks(waits('b: 4>3', 'a: 1>2'), sessions);
    const later = new Map([
      ...waits('a: 1>2'),
      ['b' as ShardId, [{ pid: 4, blockers: [3], beganAt: 99 }]] as const,
    ]);
    const [other] = findDeadlocks(later, sessions);
    expect(first?.key).toBe(again?.key);
    expect(other?.key).not.toBe(first?.key);
  });
});
