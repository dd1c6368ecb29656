import { describe, expect, it } from 'vitest';
import { judgeLists, type ListTransaction } from '../../support/list-append.ts';

function transaction(
  id: number,
  appends: number[],
  reads: { readonly [key: number]: readonly number[] } = {},
  outcome: ListTransaction['outcome'] = 'committed',
): ListTransaction {
  const seen = Object.entries(reads).map(([key, elements]) => ({ key: Number(key), elements }));
  return { id, outcome, appends, reads: seen };
}

function judge(
  history: readonly ListTransaction[],
  lists: { readonly [key: number]: readonly number[] },
): readonly string[] {
  return judgeLists(history, new Map(Object.entries(lists).map(([key, list]) => [+key, list])));
}

describe('a history of lists', () => {
  it('is in order when one transaction came after the other', () => {
    const history = [
      transaction(1, [1, 2]),
      transaction(2, [2], { 1: [1], 2: [1, 2] }),
      transaction(3, [1, 2], {}, 'unknown'),
      transaction(4, [1, 2], { 1: [1, 4] }, 'denied'),
      transaction(5, [], { 1: [], 2: [1, 2] }),
    ];
    expect(judge(history, { 1: [1], 2: [1, 2] })).toEqual([]);
    expect(judge(history, { 1: [1, 3], 2: [1, 2, 3] })).toEqual([]);
  });

  it.each([
    ['an append that is lost', [transaction(1, [1])], { 1: [] }, '1 acknowledged'],
    ['an append that is there twice', [transaction(1, [1])], { 1: [1, 1] }, '1 lists'],
    ['half a transaction', [transaction(1, [1, 2], {}, 'unknown')], { 1: [1], 2: [] }, 'by half'],
    ['what was denied', [transaction(1, [1], {}, 'denied')], { 1: [1] }, '1 denied'],
    ['a read of what was undone', [transaction(1, [], { 1: [7] })], { 1: [] }, '1 reads'],
    ['a read in another order', [transaction(1, [], { 1: [3, 2] })], { 1: [2, 3] }, '1 reads'],
    [
      'writes in two orders',
      [transaction(1, [1, 2]), transaction(2, [1, 2])],
      { 1: [1, 2], 2: [2, 1] },
      '2 transactions are each',
    ],
    [
      'two that have read of each other',
      [transaction(1, [1], { 2: [2] }), transaction(2, [2], { 1: [1] })],
      { 1: [1], 2: [2] },
      '2 transactions are each',
    ],
  ] as const)('shows %s', (_, history, lists, finding) => {
    expect(judge(history, lists)).toEqual([expect.stringContaining(finding)]);
  });
});
